import { DiscoveryFailed } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { metadataDocument, withoutQuery } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { longestDocument, parseFields, type ResponseFields } from "../endpoint/ResponseBody.ts"
import { retryTransient } from "../endpoint/Retry.ts"
import { DiscoveryTrace, type DocumentKind } from "./DiscoveryTrace.ts"

/** A text. Some servers write a list of one instead. */
export const MetadataText = Schema.Union([Schema.String, Schema.Tuple([Schema.String])]).pipe(
  Schema.decodeTo(
    Schema.String,
    SchemaTransformation.transform({
      decode: (value) => (typeof value === "string" ? value : value[0]),
      encode: (text) => text
    })
  )
)

/** A list of texts. Some servers write a single text instead. */
export const MetadataTexts = Schema.Union([Schema.Array(Schema.String), Schema.String]).pipe(
  Schema.decodeTo(
    Schema.Array(Schema.String),
    SchemaTransformation.transform({
      decode: (value) => (typeof value === "string" ? value.split(/\s+/) : value),
      encode: (texts) => texts
    })
  )
)

/** The document cannot be had at this place; the next place may have it. */
export class NotHere extends Data.TaggedError("NotHere")<{
  readonly url: string
  readonly problem: string
  /** Whether the place has no document at all, rather than one that must not be used. */
  readonly isAbsent: boolean
  /** Why the place may have it later, if that is so. */
  readonly unavailable?: OAuthErrorReason
}> {}

/**
 * Reads a JSON document from a URL, without any credential. Redirects are followed within the origin. Anything but
 * such a document, a server error included, means that the next place is to be looked at.
 *
 * @param kind as in "the protected resource metadata"
 */
export const readMetadata = <A>(
  schema: Schema.Decoder<A>,
  at: { readonly kind: DocumentKind; readonly url: string; readonly request: GrantRequest }
): Effect.Effect<A, NotHere | OAuthErrorReason, EndpointClient> => {
  const { kind, request, url } = at
  const absent = (problem: string, more: { readonly unavailable?: OAuthErrorReason } = {}) =>
    new NotHere({ url, problem, isAbsent: true, ...more })
  const unusable = (problem: string) => new NotHere({ url, problem, isAbsent: false })
  const answered = (status: number) =>
    Effect.flatMap(DiscoveryTrace, ({ note }) => note({ _tag: "Answered", kind, url, status }))
  const answeredWithout = (status: number, failure: NotHere) =>
    Effect.andThen(answered(status), Effect.fail(failure))
  return Effect.flatMap(EndpointClient, (client) =>
    client.send(
      {
        request,
        endpoint: metadataDocument(kind, url),
        message: HttpClientRequest.get(url),
        secrets: [],
        followsRedirects: true,
        longestBody: longestDocument
      },
      ({ body, status }) => Effect.as(answered(status), body)
    )
  ).pipe(
    Effect.catchTags({
      RequestRefused: ({ status }) => answeredWithout(status, absent(`HTTP ${status}`)),
      RedirectRefused: ({ status }) =>
        answeredWithout(
          status,
          absent(`a redirect (HTTP ${status}), which is not followed to another origin`)
        ),
      EndpointUnavailable: (unavailable) =>
        answeredWithout(unavailable.status, absent(`HTTP ${unavailable.status}`, { unavailable }))
    }),
    Effect.flatMap((body) =>
      Effect.fromResult(
        Result.flatMap(body, parseDocument).pipe(
          Result.mapError((problem) => absent(problem)),
          Result.flatMap((fields) => Result.mapError(decodeFields(schema)(fields), unusable))
        )
      )
    )
  )
}

const parseDocument = (body: string) =>
  parseFields(body).pipe(
    Result.filterOrFail(
      () => body.trimStart().startsWith("{"),
      () => "it is not a JSON object"
    ),
    Result.filterOrFail(
      (fields) => Object.keys(fields).length <= mostMembers,
      () => `it has over ${mostMembers} members`
    )
  )

/** Real documents have a hundred. To copy an object takes long for each member that it has more. */
const mostMembers = 500

/**
 * A key that is null or too long counts as left out, and so does one of the wrong type that is not required: what nobody
 * uses must not make a document unusable.
 */
const decodeFields =
  <A>(schema: Schema.Decoder<A>) =>
  (fields: ResponseFields): Result.Result<A, string> => {
    const decode = Schema.decodeUnknownResult(schema, { errors: "all" })
    const said = without(fields, (_, value) => Predicate.isNullish(value) || isTooLong(value))
    const first = decode(said)
    if (Result.isSuccess(first)) return Result.succeed(first.success)
    const illTyped = keysOf(first.failure.issue)
    const rest = decode(without(said, (key) => illTyped.includes(key)))
    return Result.mapError(
      rest,
      ({ issue }) => `its \`${keysOf(issue)[0] ?? ""}\` is missing or of the wrong type`
    )
  }

/** Characters of a text, such as a URL. */
const longestText = 4096
/** Texts of a list, and their characters. */
const longestList = 1000
const longestTexts = 65_536

/** Looked at before anything is decoded, which takes many times the memory of what does not fit. */
const isTooLong = (value: unknown): boolean =>
  isLongText(value) || (Predicate.isObject(value) && Object.values(value).some(isLongText))

const isLongText = (value: unknown): boolean =>
  Predicate.isString(value)
    ? value.length > longestText
    : Array.isArray(value) && (value.length > longestList || lengthOf(value) > longestTexts)

const lengthOf = (list: ReadonlyArray<unknown>): number =>
  list.reduce<number>((sum, text) => sum + (Predicate.isString(text) ? text.length : 0), 0)

const without = (
  fields: ResponseFields,
  isDropped: (key: string, value: unknown) => boolean
): ResponseFields =>
  Object.fromEntries(Object.entries(fields).filter(([key, value]) => !isDropped(key, value)))

const keysOf = (issue: SchemaIssue.Issue): ReadonlyArray<string> =>
  formatIssues(issue).issues.flatMap(({ path: [head] = [] }) =>
    head === undefined ? [] : [String(typeof head === "object" ? head.key : head)]
  )

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * Looks for a document at several places, in order. Without one, gives what was found instead. If a place answered
 * that it is out of order, nothing is guessed: the search is repeated, and then fails with that.
 */
export const searchPlaces = <A, R>(
  kind: DocumentKind,
  urls: ReadonlyArray<string>,
  read: (url: string) => Effect.Effect<A, NotHere | OAuthErrorReason, R>
): Effect.Effect<Result.Result<A, ReadonlyArray<NotHere>>, OAuthErrorReason, R> => {
  const search = (
    rest: ReadonlyArray<string>,
    misses: ReadonlyArray<NotHere>
  ): Effect.Effect<Result.Result<A, ReadonlyArray<NotHere>>, OAuthErrorReason, R> => {
    const [url, ...others] = rest
    if (url === undefined) {
      const unavailable = misses.find((miss) => miss.unavailable !== undefined)?.unavailable
      return unavailable === undefined ? Effect.succeed(Result.fail(misses)) : Effect.fail(unavailable)
    }
    return judged(kind, url, read(url)).pipe(
      Effect.map(Result.succeed),
      Effect.catchTag("NotHere", (miss) => search(others, [...misses, miss]))
    )
  }
  return retryTransient(search(urls, []))
}

const judged = <A, R>(
  kind: DocumentKind,
  url: string,
  read: Effect.Effect<A, NotHere | OAuthErrorReason, R>
): Effect.Effect<A, NotHere | OAuthErrorReason, R> =>
  Effect.flatMap(DiscoveryTrace, ({ note }) =>
    read.pipe(
      Effect.tap(() => note({ _tag: "Judged", kind, url, problem: undefined })),
      Effect.tapError((failure) =>
        note({
          _tag: "Judged",
          kind,
          url,
          problem: "problem" in failure ? failure.problem : failure.message
        })
      )
    )
  )

/** @param start what was looked for */
export const notFound = (start: string, misses: ReadonlyArray<NotHere>, advice: string): DiscoveryFailed =>
  new DiscoveryFailed({
    url: withoutQuery(start),
    problem: `${misses.map(({ problem, url }) => `${withoutQuery(url)}: ${problem}`).join("; ")}. ${advice}`
  })
