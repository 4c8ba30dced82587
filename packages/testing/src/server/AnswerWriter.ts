import * as Effect from "effect/Effect"
import * as Match from "effect/Match"
import * as Stream from "effect/Stream"
import type { ServerResponse } from "node:http"
import type { Answer, Message, ResetMidBody } from "./Answer.ts"
import type { RecordedRequest } from "./RecordedRequest.ts"

export interface Exchange {
  readonly request: RecordedRequest
  readonly response: ServerResponse
  /** Resets the TCP connection below the response, TLS or not. */
  readonly resetConnection: Effect.Effect<void>
}

/** Carries out an answer. Completes when the last byte was handed to the system, or the connection is gone. */
export const writeAnswer = (answer: Answer, exchange: Exchange): Effect.Effect<void> => {
  const { request, resetConnection, response } = exchange
  return Match.valueTags(answer, {
    Message: (message) => announce(message, response).pipe(Effect.andThen(end(response, message.body))),
    Streamed: ({ body, headers, status }) =>
      Effect.sync(() => response.writeHead(status, headers).flushHeaders()).pipe(
        Effect.andThen(Stream.runForEach(body, (piece) => write(response, piece))),
        Effect.andThen(end(response))
      ),
    Reset: () => resetConnection,
    ResetMidBody: (message) =>
      announce(message, response).pipe(
        Effect.andThen(write(response, message.body.slice(0, message.sentCharacters))),
        Effect.andThen(Effect.sync(() => response.destroy()))
      ),
    Hang: () => Effect.never,
    Held: ({ answer, until }) => until.pipe(Effect.andThen(writeAnswer(answer, exchange))),
    Dynamic: ({ respond }) => respond(request).pipe(Effect.flatMap((answer) => writeAnswer(answer, exchange)))
  })
}

const announce = ({ body, headers, status }: Message | ResetMidBody, response: ServerResponse) =>
  Effect.sync(() =>
    response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).flushHeaders()
  )

// Waiting for the callback is the backpressure: it comes once the system has taken the bytes.
const write = (response: ServerResponse, piece: string) =>
  Effect.callback<void>((resume) => {
    response.write(piece, () => resume(Effect.void))
  })

const end = (response: ServerResponse, body: string | Uint8Array = "") =>
  Effect.callback<void>((resume) => {
    response.end(body, () => resume(Effect.void))
  })
