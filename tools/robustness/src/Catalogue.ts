import type { Attack } from "./attack/Attack.ts"
import { brokenAnswers } from "./hostile/BrokenAnswers.ts"
import { endlessAnswers } from "./hostile/EndlessAnswers.ts"
import { hostileMetadata } from "./hostile/HostileMetadata.ts"
import { internalTargets, redirects } from "./hostile/InternalTargets.ts"
import { secretsInLogs } from "./hostile/SecretsInLogs.ts"
import { refusalStorms } from "./hostile/Storms.ts"
import { terminalEscapes } from "./hostile/TerminalEscapes.ts"
import { shortOutages } from "./outages/ShortOutage.ts"
import { silentRedis } from "./outages/SilentRedis.ts"
import { slowServer } from "./outages/SlowServer.ts"
import { forwardedHeaders } from "./strangers/ForwardedHeaders.ts"
import { foreignSession } from "./strangers/ForeignSession.ts"
import { foreignPersons, foreignTokens } from "./strangers/ForeignTokens.ts"
import { inspector } from "./strangers/Inspector.ts"
import { abandonedBodies, largeBodies } from "./strangers/LargeBodies.ts"
import { malformedRequests } from "./strangers/MalformedRequests.ts"
import { nestedJson } from "./strangers/NestedJson.ts"
import { pathTricks } from "./strangers/PathTricks.ts"
import { phishing } from "./strangers/Phishing.ts"
import { headerFlood, slowClients } from "./strangers/SlowClients.ts"
import { manyPersons, unknownKeys } from "./strangers/TokenFloods.ts"
import { webPages } from "./strangers/WebPages.ts"

/** Every attack, in the order in which they run. */
export const attacks: ReadonlyArray<Attack> = [
  ...shortOutages,
  malformedRequests,
  pathTricks,
  forwardedHeaders,
  headerFlood,
  ...slowClients,
  phishing,
  foreignSession,
  foreignPersons,
  foreignTokens,
  unknownKeys,
  manyPersons,
  webPages,
  largeBodies,
  abandonedBodies,
  nestedJson,
  ...hostileMetadata,
  endlessAnswers,
  refusalStorms,
  internalTargets,
  redirects,
  brokenAnswers,
  secretsInLogs,
  terminalEscapes,
  slowServer,
  silentRedis,
  inspector
]
