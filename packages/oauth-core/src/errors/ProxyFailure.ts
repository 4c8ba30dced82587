/** The proxy gave no connection to the server, so nothing was sent there. */
export class ProxyFailure extends Error {
  override readonly name = "ProxyFailure"
  /** The address of the proxy, without user name and password. */
  readonly proxy: string
  /** The status of its answer to CONNECT (RFC 9110 §9.3.6), if it gave one. */
  readonly status: number | undefined

  /** @param reason the status of its answer, or why there was no connection to the proxy itself */
  constructor(proxy: string, reason: number | Error) {
    super("the proxy gave no connection", typeof reason === "number" ? {} : { cause: reason })
    this.proxy = proxy
    this.status = typeof reason === "number" ? reason : undefined
  }
}
