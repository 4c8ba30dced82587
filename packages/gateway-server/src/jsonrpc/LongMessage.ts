import * as Effect from "effect/Effect"
import { idTextAt, inSlices, isJsonObject, parseJson, type IdText } from "./JsonRpc.ts"
import { sliceLength } from "./JsonOutline.ts"
import type { Remains } from "./Lines.ts"

/** What is known of a line that was too long to be kept. */
export interface LongMessage {
  /** The requests that it answers. */
  readonly answers: ReadonlyArray<IdText>
  /** The requests in it. */
  readonly requests: ReadonlyArray<IdText>
}

/** Finds the ids in a message that is not read for another reason than its length. */
export const findIds = (text: string): Effect.Effect<LongMessage> => inSlices(() => readIds(text))

function* readIds(text: string): Generator<void, LongMessage> {
  const reader = new LongMessageReader()
  const bytes = Buffer.from(text)
  yield
  for (let start = 0; start < bytes.length; start += sliceLength) {
    reader.read(bytes.subarray(start, start + sliceLength))
    yield
  }
  return reader.finish()
}

/**
 * Finds the ids in a message, or a batch of messages, whose bytes are not kept. They stand where its writer likes: in
 * front of a long result, or behind it. Only the outermost keys and scalar values of a message are looked at, up to 256
 * bytes of each. What is no whole JSON text has no ids.
 */
export class LongMessageReader implements Remains<LongMessage> {
  readonly #answers: Array<IdText> = []
  readonly #requests: Array<IdText> = []
  /** The open braces and brackets. */
  #depth = 0
  /** The depth at which the members of a message stand. */
  #memberDepth = 1
  #phase: "before" | "within" | "after" | "broken" = "before"
  #inString = false
  #isEscaped = false
  /** The key or value of a member, as far as it was read. */
  #token: Array<number> = []
  #key = ""
  #message = emptyOutline

  read(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length && this.#phase !== "broken"; index += 1) {
      const code = bytes[index] ?? 0
      if (this.#inString) this.#readInString(code)
      else this.#readOutside(code)
    }
  }

  finish(): LongMessage {
    return this.#phase === "after"
      ? { answers: this.#answers, requests: this.#requests }
      : { answers: [], requests: [] }
  }

  #readInString(code: number): void {
    this.#keep(code)
    if (this.#isEscaped) this.#isEscaped = false
    else if (code === backslash) this.#isEscaped = true
    else if (code === quote) this.#inString = false
  }

  #readOutside(code: number): void {
    if (code === openBrace || code === openBracket) return this.#open(code)
    if (isSpace(code)) return
    if (this.#phase !== "within") {
      // A byte order mark may stand before the text.
      if (this.#phase === "after" || code < firstOfByteOrderMark) this.#phase = "broken"
      return
    }
    if (code === closeBrace || code === closeBracket) return this.#close()
    if (this.#depth === this.#memberDepth && code === colon) return this.#endKey()
    if (this.#depth === this.#memberDepth && code === comma) return this.#endMember()
    if (code === quote) this.#inString = true
    this.#keep(code)
  }

  #keep(code: number): void {
    if (this.#depth === this.#memberDepth && this.#token.length <= maxTokenBytes) this.#token.push(code)
  }

  #open(code: number): void {
    if (this.#phase === "before") {
      this.#phase = "within"
      this.#memberDepth = code === openBracket ? 2 : 1
    } else if (this.#phase === "after") this.#phase = "broken"
    this.#depth += 1
  }

  #close(): void {
    if (this.#depth === this.#memberDepth) this.#endMessage()
    this.#depth -= 1
    if (this.#depth === 0) this.#phase = "after"
  }

  #endKey(): void {
    this.#key = this.#takeToken()
    if (this.#key === '"method"') this.#message = { ...this.#message, isRequest: true }
    if (this.#key === '"result"' || this.#key === '"error"')
      this.#message = { ...this.#message, isAnswer: true }
  }

  #endMember(): void {
    const value = this.#takeToken()
    if (this.#key === '"id"') this.#message = { ...this.#message, id: idTextOf(value) }
    this.#key = ""
  }

  #endMessage(): void {
    this.#endMember()
    const { id, isAnswer, isRequest } = this.#message
    this.#message = emptyOutline
    if (id === undefined || this.#answers.length + this.#requests.length >= maxIds) return
    if (isRequest) this.#requests.push(id)
    else if (isAnswer) this.#answers.push(id)
  }

  #takeToken(): string {
    const token = this.#token.length > maxTokenBytes ? "" : Buffer.from(this.#token).toString()
    this.#token = []
    return token
  }
}

/** What the outermost members of a message say. */
interface Outline {
  readonly id: IdText | undefined
  readonly isRequest: boolean
  readonly isAnswer: boolean
}

const emptyOutline: Outline = { id: undefined, isRequest: false, isAnswer: false }

const idTextOf = (source: string): IdText | undefined => {
  const text = `{"id":${source}}`
  const json = parseJson(text)
  return isJsonObject(json) ? idTextAt({ json, text }) : undefined
}

const maxTokenBytes = 256
const maxIds = 1000

const isSpace = (code: number): boolean => code === 0x20 || (code >= 0x09 && code <= 0x0d)
const firstOfByteOrderMark = 0xbb
const [quote, backslash, colon, comma, openBrace, closeBrace, openBracket, closeBracket] = [
  0x22, 0x5c, 0x3a, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d
]
