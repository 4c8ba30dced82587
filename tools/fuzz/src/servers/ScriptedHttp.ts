import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import type { HttpAnswer } from "../input/HttpAnswers.ts"
import { nextTurn } from "../run/TurnWatch.ts"
import { bufferOf } from "../input/Texts.ts"

/** A client whose requests reach nobody: each gets an answer that was written before. */
export interface ScriptedHttp {
  readonly client: HttpClient.HttpClient
  /** The URLs that were asked, in order. */
  readonly urls: ReadonlyArray<string>
}

/** @param answerTo says how the request of a number, from 0, is answered; undefined breaks the connection */
export const scriptedHttp = (answerTo: (url: URL, count: number) => HttpAnswer | undefined): ScriptedHttp => {
  const urls: Array<string> = []
  const client = HttpClient.make((request, url) => {
    const answer = answerTo(url, urls.length)
    urls.push(url.href)
    return answer === undefined
      ? Effect.fail(
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({ request, cause: new Error("connection reset") })
          })
        )
      : // What a network does, too: no two answers come in the same turn.
        Effect.map(nextTurn, () => HttpClientResponse.fromWeb(request, responseOf(answer)))
  })
  return { client, urls }
}

const responseOf = ({ body, breaks, headers, status }: HttpAnswer): Response => {
  const collected = new Headers()
  for (const [name, value] of headers) collected.append(name, value)
  const hasBody = ![204, 205, 304].includes(status)
  return new Response(hasBody ? streamOf(bufferOf(body), breaks) : null, { status, headers: collected })
}

/** In two pieces, so that none has a boundary where it is expected. */
const streamOf = (bytes: Uint8Array<ArrayBuffer>, breaks: boolean): ReadableStream<Uint8Array> => {
  const middle = Math.floor(bytes.length / 2)
  const pieces = [bytes.subarray(0, middle), bytes.subarray(middle)].filter(({ length }) => length > 0)
  return new ReadableStream({
    pull: (controller) => {
      const piece = pieces.shift()
      if (piece !== undefined) controller.enqueue(piece)
      else if (breaks) controller.error(new Error("connection reset"))
      else controller.close()
    }
  })
}
