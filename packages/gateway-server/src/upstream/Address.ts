/** An address that requests go to, or are redirected to, in the parts that a request needs. */
export interface Address {
  readonly url: URL
  readonly origin: string
  readonly path: string
}

export const addressOf = (url: URL): Address => ({
  url,
  origin: url.origin,
  path: url.pathname + url.search
})

/** Where exchanges are forwarded to, and what must not be forwarded of their answers. */
export interface Destination {
  readonly address: Address
  /** Whether an answer that refuses the token, or wants one, is not forwarded, because another may be accepted. */
  readonly withholdsRefusals: boolean
  /** Whether the address is that of a redirect. */
  readonly isRedirected: boolean
  /** Whether an answer that begins a session waits until somebody has decided whether the client may have it. */
  readonly withholdsSessions: boolean
}
