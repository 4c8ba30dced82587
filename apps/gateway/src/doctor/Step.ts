import type { OAuthErrorReason } from "@secure-mcp/oauth-core"
import type { TriedPlace } from "@secure-mcp/oauth-flows/internal"
import type * as Schema from "effect/Schema"

/** The steps of the way to a token, in order. */
export type StepName =
  | "command"
  | "directory"
  | "address"
  | "certificate"
  | "proxy"
  | "tls"
  | "challenge"
  | "resource_metadata"
  | "authorization_server_metadata"
  | "issuer"
  | "resource"
  | "scope"
  | "client"
  | "authentication"
  | "assertion"
  | "pkce"
  | "authorization_endpoint"
  | "token_endpoint"
  | "store"
  | "lease"
  | "grant"

/** What was found at one step. A login cannot work with a failed one. */
export interface Step {
  readonly name: StepName
  readonly status: "ok" | "warning" | "failed"
  readonly message: string
  /** What to do about it. */
  readonly advice?: string | undefined
  /** Where something was looked for, in the order in which it was. */
  readonly places?: ReadonlyArray<TriedPlace> | undefined
  /** The same for programs, by names as they stand in JSON. */
  readonly facts?: Readonly<Record<string, Schema.Json>> | undefined
}

type Facts = Step["facts"]

export const ok = (name: StepName, message: string, facts?: Facts): Step => ({
  name,
  status: "ok",
  message,
  facts
})

export const warning = (name: StepName, message: string, advice: string, facts?: Facts): Step => ({
  name,
  status: "warning",
  message,
  advice,
  facts
})

export const failed = (name: StepName, message: string, advice: string, facts?: Facts): Step => ({
  name,
  status: "failed",
  message,
  advice,
  facts
})

/** @param advice where the reason itself has none of its own */
export const failedFor = (name: StepName, reason: OAuthErrorReason, advice: string, facts?: Facts): Step =>
  reason._tag === "ConnectionFailed"
    ? failed(
        name,
        `${reason.endpoint} could not be reached (${reason.problem})`,
        reason.advice ?? "Check the address and that the server is up",
        facts
      )
    : failed(name, reason.message, advice, facts)

/** A URL for people: as it was written, without what may hold a secret. */
export const shown = (url: string): string =>
  url
    .replace(/[?#].*$/s, "")
    .replace(/\/\/[^/@]*@/, "//")
    .replaceAll(/[^\x21-\x7E]/g, "")
    .slice(0, 200)
