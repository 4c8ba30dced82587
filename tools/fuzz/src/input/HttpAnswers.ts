import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { hostileText } from "./Texts.ts"

/** An answer of a server over HTTP. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  /** Bytes, one in each character. */
  readonly body: string
  /** The connection breaks before the end of the body. */
  readonly breaks: boolean
}

/** An answer as it is kept. */
export const HttpAnswer = Schema.Struct({
  status: Schema.Int,
  headers: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
  body: Schema.String,
  breaks: Schema.Boolean
})

const statuses = [
  200, 200, 200, 200, 201, 202, 204, 206, 301, 302, 307, 400, 400, 401, 401, 403, 404, 405, 408, 410, 413,
  429, 500, 502, 503, 599
]

const headerValue = (secrets: ReadonlyArray<string>): fc.Arbitrary<string> =>
  hostileText(secrets).map((text) => text.replaceAll(/[^\t\x20-\x7E\x80-\xFF]/g, "").slice(0, 8000))

/** Answers with these bodies. */
export const httpAnswers = (
  bodies: fc.Arbitrary<string>,
  {
    contentTypes = ["application/json"],
    headers = {},
    secrets = []
  }: {
    readonly contentTypes?: ReadonlyArray<string>
    readonly headers?: Readonly<Record<string, fc.Arbitrary<string>>>
    readonly secrets?: ReadonlyArray<string>
  } = {}
): fc.Arbitrary<HttpAnswer> => {
  const value = headerValue(secrets)
  const named = Object.entries(headers).map(([name, values]) => fc.tuple(fc.constant(name), values))
  const header = fc.oneof(
    {
      weight: 2,
      arbitrary: fc.tuple(
        fc.constantFrom("retry-after", "cache-control", "expires", "date"),
        fc.oneof(
          fc.constantFrom(
            "0",
            "1",
            "-1",
            "86400",
            "1e9",
            "max-age=60",
            "no-store",
            "Fri, 31 Dec 1999 23:59:59 GMT"
          ),
          value
        )
      )
    },
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.constantFrom(
          "location",
          "content-encoding",
          "content-length",
          "www-authenticate",
          "dpop-nonce",
          "x-echo"
        ),
        value
      )
    },
    ...named.map((arbitrary) => ({ weight: 4, arbitrary }))
  )
  const contentType = fc.tuple(
    fc.constant<string>("content-type"),
    fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...contentTypes) }, { weight: 1, arbitrary: value })
  )
  return fc.record({
    status: fc.constantFrom(...statuses),
    headers: fc
      .tuple(fc.array(contentType, { minLength: 0, maxLength: 1 }), fc.array(header, { maxLength: 3 }))
      .map(([types, others]) => types.concat(others)),
    body: bodies,
    breaks: fc.oneof(
      { weight: 12, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) }
    )
  })
}
