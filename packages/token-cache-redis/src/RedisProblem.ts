import { describeConnectionFailure, StoreUnavailable } from "@secure-mcp/oauth-core"
import type { RedisError } from "effect/persistence/Redis"
import * as Predicate from "effect/Predicate"

/**
 * @param place names the server, without user name and password
 * @param reported what a client of several nodes has reported of one of them, which says more
 */
export const unavailable = (place: string, { cause }: RedisError, reported?: unknown): StoreUnavailable => {
  const problem = describe(reported) ?? describe(cause) ?? `cannot be used (${nameOf(cause)})`
  return new StoreUnavailable({ problem: `${place} ${problem}` })
}

/** Undefined if it is not known what the error means. */
const describe = (error: unknown): string | undefined => {
  const known = explanations[nameOf(error)]
  if (known !== undefined) return known
  if (error instanceof Error && /sentinels? (?:node|are)|any sentinels/.test(error.message)) return noSentinel
  if (error instanceof Error && error.message === "no valid master node") return noPrimary
  // What keeps a client from connecting for the first time.
  const inner = Predicate.hasProperty(error, "originalError")
    ? error.originalError
    : error instanceof Error
      ? error.cause
      : undefined
  const described = inner === undefined ? undefined : describe(inner)
  if (described !== undefined) return described
  const { advice, code, problem } = describeConnectionFailure(error, { https: false, useMtls: false })
  return code === undefined
    ? undefined
    : `cannot be reached: ${problem}. ${advice ?? "Check its address and that it runs"}`
}

/** The whole message of an error may repeat a command with its arguments, which may be a password. */
const nameOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return "unknown reason"
  const [, reply] = /^([A-Z]{2,}) /.exec(cause.message) ?? []
  return reply ?? cause.constructor.name
}

const loginRefused = "refuses the user name or the password. Check them, and the user's ACL"
const disconnected = "is not connected. Check that it runs; the connection is tried again by itself"

const noSentinel =
  "has no sentinel that can be reached and knows it. Check the addresses, that they are those of sentinels, and the name of the primary"
const noPrimary = "has no primary now. It is tried again by itself"

/** By the first word of an answer, or by the name of an error of the client. */
const explanations: Readonly<Record<string, string>> = {
  ConnectionTimeoutError: "gives no connection in time. Check its address, and whether it speaks TLS",
  ClientOfflineError: disconnected,
  ClientClosedError: disconnected,
  DisconnectsClientError: disconnected,
  SocketClosedUnexpectedlyError: disconnected,
  SocketTimeoutError: disconnected,
  RootNodesUnavailableError:
    "has no node that can be reached. Check the addresses, and that it is a cluster that runs",
  CLUSTERDOWN: "is a cluster in which a node is missing. It is tried again by itself",
  NOREPLICAS:
    "takes no writes because too few replicas have them (`min-replicas-to-write`). It is tried again by itself",
  TRYAGAIN: "is a cluster that is being changed. It is tried again by itself",
  WRONGPASS: loginRefused,
  NOAUTH: "asks for a password. Configure it",
  NOPERM: "does not allow this user what is needed. Allow it the commands of a store and scripts in its ACL",
  OOM: "has no memory left for a write (OOM). Raise its `maxmemory`",
  READONLY: "is a replica, which cannot be written. Connect to the primary",
  MISCONF: "takes no writes because it cannot save them (MISCONF). Look at its disk",
  LOADING: "is still loading its data. Try again",
  WRONGTYPE:
    "has something else under one of our keys (WRONGTYPE). Configure a key prefix that no other program uses",
  MOVED: "is a node of a cluster. Configure it as a cluster, or connect through a proxy"
}
