import * as NodeServices from "@effect/platform-node/NodeServices"
import { ClientCertificates } from "@secure-mcp/mtls"
import { formatProblem } from "@secure-mcp/oauth-core/internal"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { loadConfigFile } from "../../../../packages/gateway-server/src/config/ConfigFile.ts"

export type Environment = Readonly<Record<string, string>>

/** What `loadConfigFile` runs on. */
export const TestLayer = ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer))

/** Writes a file into a directory of its own and gives its path. */
export const writeFile = Effect.fnUntraced(function* (name: string, content: string) {
  const files = yield* FileSystem.FileSystem
  const path = `${yield* files.makeTempDirectoryScoped()}/${name}`
  yield* files.writeFileString(path, content)
  return path
}, Effect.orDie)

/** Loads a configuration from a file; a string is the file's own text. */
export const load = Effect.fnUntraced(function* (document: unknown, env: Environment = {}) {
  const text = typeof document === "string" ? document : JSON.stringify(document)
  return yield* loadFile(yield* writeFile("gateway.json", text), env)
})

export const loadFile = (path: string, env: Environment = {}) =>
  loadConfigFile(path).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
  )

/** Every problem of a configuration, as the user reads it. */
export const problemsOf = (document: unknown, env: Environment = {}) =>
  load(document, env).pipe(
    Effect.flip,
    Effect.map(({ problems }) => problems.map((problem) => formatProblem(problem).trim()))
  )

/** An entry without problems. */
export const entryWith = (oauth: object = {}, config: object = {}) => ({
  server_name: "remote",
  config: { url: "https://api.example.com/mcp", ...config },
  oauth: {
    enabled: true,
    token_url: "https://auth.example.com/oauth/token",
    client_id: "client",
    client_secret: "secret",
    ...oauth
  }
})
