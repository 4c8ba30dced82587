import { DiscoveryFailed } from "@secure-mcp/oauth-core"
import type { GrantRequest, OAuthErrorReason } from "@secure-mcp/oauth-core"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { metadataDocument, withoutQuery } from "../endpoint/Endpoint.ts"
import { EndpointClient } from "../endpoint/EndpointClient.ts"
import { parseFields, readBody, type ResponseFields } from "../endpoint/ResponseBody.ts"
import { retryTransient } from "../endpoint/Retry.ts"

/** The document is not at this URL. The search goes on with the next one. */
export class NotHere extends Data.TaggedError("NotHere")<{
  readonly url: string
  readonly problem: string
}> {}

/**
 * Reads a JSON document from a URL, without any credential. A refusal, a redirect or an unreadable answer means that it
 * is not there. A server that cannot be reached or answers 5xx ends the search, because the next URL would be a guess.
 *
 * @param kind as in "the protected resource metadata"
 */
export const readMetadata = <A>(
  schema: Schema.Decoder<A>,
  at: { readonly kind: string; readonly url: string; readonly request: GrantRequest }
): Effect.Effect<A, NotHere | OAuthErrorReason, EndpointClient> => {
  const { kind, request, url } = at
  const notHere = (problem: string) => new NotHere({ url, problem })
  return Effect.flatMap(EndpointClient, (client) =>
    client.send(
      { request, endpoint: metadataDocument(kind, url), message: HttpClientRequest.get(url), secrets: [] },
      (response) =>
        readBody(response).pipe(
          Effect.map((body) => Result.flatMap(parseDocument(body), decodeFields(schema))),
          Effect.catchTag("UnusableBody", ({ problem }) => Effect.succeed(Result.fail(problem)))
        )
    )
  ).pipe(
    retryTransient,
    Effect.catchTags({
      RequestRefused: ({ status }) => Effect.fail(notHere(`HTTP ${status}`)),
      RedirectRefused: ({ status }) =>
        Effect.fail(notHere(`a redirect (HTTP ${status}), which is not followed`))
    }),
    Effect.flatMap((result) => Effect.fromResult(Result.mapError(result, notHere)))
  )
}

const parseDocument = (body: string) =>
  Result.filterOrFail(
    parseFields(body),
    () => body.trimStart().startsWith("{"),
    () => "it is not a JSON object"
  )

/** A key that is null counts as absent. One of the wrong type makes the document unusable. */
const decodeFields =
  <A>(schema: Schema.Decoder<A>) =>
  (fields: ResponseFields): Result.Result<A, string> => {
    const said: unknown = Object.fromEntries(
      Object.entries(fields).filter(([, value]) => !Predicate.isNullish(value))
    )
    return Result.mapError(Schema.decodeUnknownResult(schema)(said), ({ issue }) => {
      const [first] = formatIssues(issue).issues
      return `its \`${(first?.path ?? []).map(String).join(".")}\` is missing or of the wrong type`
    })
  }

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** Reads the document at the first of several URLs that has it. */
export const firstOf = <A, R>(
  urls: ReadonlyArray<string>,
  start: string,
  read: (url: string) => Effect.Effect<A, NotHere | OAuthErrorReason, R>,
  advice: string
): Effect.Effect<A, OAuthErrorReason, R> => {
  const search = (
    rest: ReadonlyArray<string>,
    misses: ReadonlyArray<NotHere>
  ): Effect.Effect<A, OAuthErrorReason, R> => {
    const [url, ...others] = rest
    if (url === undefined) return Effect.fail(nowhere(start, misses, advice))
    return Effect.catchTag(read(url), "NotHere", (miss) => search(others, [...misses, miss]))
  }
  return search(urls, [])
}

const nowhere = (start: string, misses: ReadonlyArray<NotHere>, advice: string): DiscoveryFailed =>
  new DiscoveryFailed({
    url: withoutQuery(start),
    problem: `${misses.map(({ problem, url }) => `${withoutQuery(url)}: ${problem}`).join("; ")}. ${advice}`
  })
