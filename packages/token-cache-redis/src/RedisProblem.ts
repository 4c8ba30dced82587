import type { RedisError } from "effect/persistence/Redis"
import { StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Predicate from "effect/Predicate"

/** @param place names the server, without user name and password */
export const unavailable = (place: string, { cause }: RedisError): StoreUnavailable => {
  const code = codeOf(cause)
  return new StoreUnavailable({ problem: `${place} ${explanations[code] ?? `cannot be used (${code})`}` })
}

/** The whole message of an error may repeat a command with its arguments, which may be a password. */
const codeOf = (cause: unknown): string => {
  // What keeps the client from connecting for the first time.
  if (Predicate.hasProperty(cause, "originalError")) return codeOf(cause.originalError)
  if (Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code)) return cause.code
  if (!(cause instanceof Error)) return "unknown reason"
  const [, reply] = /^([A-Z]{2,}) /.exec(cause.message) ?? []
  return reply ?? cause.constructor.name
}

const untrusted =
  "shows a certificate that is not trusted. Configure the authority it is signed by, if it is a private one"
const loginRefused = "refuses the user name or the password. Check them, and the user's ACL"
const disconnected = "is not connected. Check that it runs; the connection is tried again by itself"

const explanations: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refuses connections (ECONNREFUSED). Check its address and that it runs",
  ENOTFOUND: "has a host name that is not known (ENOTFOUND). Check its address",
  ConnectionTimeoutError: "gives no connection in time. Check its address, and whether it speaks TLS",
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  CERT_HAS_EXPIRED: "shows a certificate that has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "shows a certificate for another host. Check its address",
  ClientOfflineError: disconnected,
  ClientClosedError: disconnected,
  DisconnectsClientError: disconnected,
  SocketClosedUnexpectedlyError: disconnected,
  WRONGPASS: loginRefused,
  NOAUTH: "asks for a password. Configure it",
  NOPERM: "does not allow this user what is needed. Allow it the commands of a store and scripts in its ACL",
  OOM: "has no memory left for a write (OOM). Raise its `maxmemory`",
  READONLY: "is a replica, which cannot be written. Connect to the primary",
  MISCONF: "takes no writes because it cannot save them (MISCONF). Look at its disk",
  LOADING: "is still loading its data. Try again",
  WRONGTYPE:
    "has something else under one of our keys (WRONGTYPE). Configure a key prefix that nobody else uses",
  MOVED: "is a node of a cluster. Connect through a proxy, or provide a client of the cluster"
}
