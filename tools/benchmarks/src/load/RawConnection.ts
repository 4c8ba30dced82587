import { connect, type Socket } from "node:net"

/** An answer as far as the load generator looks at it. */
export interface Answer {
  readonly status: number
  /** The head and the beginning of the body, for a message. */
  readonly beginning: string
}

/**
 * One kept connection with one request at a time, on a bare socket: an HTTP client would cost more than some of those
 * that are measured. It understands answers with `Content-Length` or with chunks whose data hold no `0\r\n\r\n`.
 */
export class RawConnection {
  readonly #socket: Socket
  #pending: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined
  #head = ""
  /** Bytes of the body that are still to come; -1 for chunks. */
  #rest = 0
  #isHead = true
  #status = 0

  constructor(url: URL) {
    this.#socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true })
    this.#socket.on("data", (piece) => this.#read(piece))
    this.#socket.once("error", (error) => this.#fail(error))
    this.#socket.once("close", () => this.#fail(new Error("The connection was closed")))
  }

  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#head = ""
      this.#isHead = true
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#pending = undefined
    this.#socket.destroy()
  }

  #fail(error: Error): void {
    this.#pending?.reject(error)
    this.#pending = undefined
  }

  #read(piece: Buffer): void {
    if (!this.#isHead) {
      this.#readBody(piece.length, piece.toString("latin1", Math.max(0, piece.length - 5)))
      return
    }
    this.#head += piece.toString("latin1")
    const end = this.#head.indexOf("\r\n\r\n")
    if (end === -1) return
    this.#isHead = false
    this.#status = Number(this.#head.slice(9, 12))
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head.slice(0, end))
    const isEmpty = this.#status === 204 || this.#status === 304
    this.#rest = isEmpty ? 0 : length === null ? -1 : Number(length[1])
    this.#readBody(this.#head.length - end - 4, this.#head.slice(-5))
  }

  #readBody(bytes: number, tail: string): void {
    if (this.#rest === -1) {
      if (tail.endsWith("0\r\n\r\n")) this.#finish()
      return
    }
    this.#rest -= bytes
    if (this.#rest <= 0) this.#finish()
  }

  #finish(): void {
    const pending = this.#pending
    this.#pending = undefined
    pending?.resolve({ status: this.#status, beginning: this.#head.slice(0, 2000) })
  }
}
