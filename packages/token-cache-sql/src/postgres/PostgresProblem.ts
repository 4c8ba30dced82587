import { describeConnectionFailure } from "@secure-mcp/oauth-core"
import * as Predicate from "effect/Predicate"
import type { SqlError } from "effect/sql/SqlError"

/** Why PostgreSQL did not do what was asked. Its own words may quote a statement, and are not repeated. */
export const postgresProblem = ({ reason }: SqlError): string => {
  const state = stateOf(reason.cause)
  const known = explanations[state] ?? explanations[state.slice(0, 2)]
  if (known !== undefined) return known
  if (reason.message.includes("refused TLS"))
    return "does not speak TLS. Set it up there, or allow it in the URL with sslmode=disable"
  if (reason.message.includes("timed out"))
    return "gives no connection in time. Check its address, and that it runs"
  const { advice, code, problem } = describeConnectionFailure(reason.cause, { https: false, useMtls: false })
  if (code === undefined)
    return reason._tag === "ConnectionError"
      ? "is not connected. Check that it runs; the connection is tried again by itself"
      : `cannot be used (${state === "" ? reason._tag : `SQLSTATE ${state}`})`
  return `cannot be reached: ${problem}. ${advice ?? "Check its address and that it runs"}`
}

/** The five letters that PostgreSQL calls an error by. */
const stateOf = (cause: unknown): string =>
  Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) && /^[0-9A-Z]{5}$/.test(cause.code)
    ? cause.code
    : ""

const loginRefused = "refuses the user name or the password. Check them, and pg_hba.conf"
const notAllowed =
  "does not allow this user what is needed. Grant it SELECT, INSERT, UPDATE and DELETE on mcp_oauth_tokens and mcp_oauth_migrations, and CREATE on the schema for the first start"

/** By SQLSTATE, or by its class, the first two letters. */
const explanations: Readonly<Record<string, string>> = {
  "25006": "is a standby, which cannot be written. Connect to the primary",
  "28": loginRefused,
  "3D000": "has no such database. Create it, or check the URL",
  "3F000": "has no such schema. Create it, or check `options` in the URL",
  "42501": notAllowed,
  "42P01": "has lost the tables of the store. Start again, which makes them",
  "53100": "cannot grow: its disk is full",
  "53200": "has no memory left",
  "53300": "has too many connections. Raise `max_connections`, or connect through a pooler",
  "57014": "did not answer in time",
  "57P01": "is being stopped. The connection is tried again by itself",
  "57P02": "has ended. The connection is tried again by itself",
  "57P03": "is starting or stopping. Try again"
}
