import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** Milliseconds after its request within which a client that closes its sending side says that this was its last one. */
const withRequest = 100

/** Milliseconds until such a client is first asked whether it is still there. */
const patience = 1000

/** Milliseconds to the second question, whose failure tells of the reset; twice as many to each one after it. */
const firstInterval = 50

/**
 * The connection of a client. Notices that the client leaves while it waits, so that its requests to MCP servers end as well.
 *
 * A client may close its sending side with the request and still read the answer. One that has left closes it, too, and the
 * difference only shows when something is sent. So before the answer it is an interim response (RFC 9110 §15.2), which a
 * client that has left answers with a reset; during an answer it counts as leaving.
 *
 * The times are of the system's clock, as those of Node's own limits for connections are.
 */
export class ClientConnection {
  /**
   * More than one if the client sends the next request before it has the answer to the last one. No `Set`: each time it
   * makes room its old table keeps what was in it, and all that belongs to a request, until the next full collection.
   */
  readonly #exchanges: Array<ClientExchange> = []

  constructor(socket: Socket) {
    socket.on("end", () => {
      for (const exchange of this.#exchanges) exchange.onClientEnd()
    })
  }

  /** Watches the client until `end`. */
  begin(request: IncomingMessage, response: ServerResponse): ClientExchange {
    const exchange = new ClientExchange(request, response)
    this.#exchanges.push(exchange)
    return exchange
  }

  /** The answer has closed. */
  end(exchange: ClientExchange): void {
    this.#exchanges.splice(this.#exchanges.indexOf(exchange), 1)
    exchange.stopAsking()
  }

  /** Ends those without the router: it has its own way. */
  endUnrouted(): void {
    for (const exchange of this.#exchanges) exchange.endUnlessRouted()
  }
}

/** A request of a client that waits for its answer. */
export class ClientExchange {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #receivedAt = performance.now()
  #timer: NodeJS.Timeout | undefined
  #isRouted = false

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request
    this.#response = response
    request.on("end", () => (this.#receivedAt = performance.now()))
  }

  /** The router answers it. */
  leaveToRouter(): void {
    this.#isRouted = true
  }

  endUnlessRouted(): void {
    if (!this.#isRouted) this.#response.destroy()
  }

  onClientEnd(): void {
    const response = this.#response
    if (response.writableEnded) return
    if (response.headersSent) response.destroy()
    // HTTP/1.0 knows no interim responses.
    else if (this.#request.httpVersion === "1.0") return
    else if (performance.now() - this.#receivedAt > withRequest) this.#ask(firstInterval)
    else this.#timer = setTimeout(() => this.#ask(firstInterval), patience)
  }

  stopAsking(): void {
    clearTimeout(this.#timer)
  }

  #ask(interval: number): void {
    if (this.#response.headersSent) return
    this.#response.writeProcessing()
    this.#timer = setTimeout(() => this.#ask(interval * 2), interval)
  }
}
