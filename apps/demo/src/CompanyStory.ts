import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import type { Company } from "./Company.ts"
import { connectPerson, subjectOf } from "./PersonClient.ts"
import { check, say } from "./Steps.ts"

/** Two people of a company, step by step. Fails at the first step without the expected result. */
export const tellCompanyStory = Effect.fnUntraced(function* (company: Company) {
  const { mcpUrlOf, provider } = company
  const url = mcpUrlOf("wiki")
  yield* say("The company", `its people log in at ${provider.issuer}`)
  yield* say("The gateway", `${url} is all that an MCP client is told`)

  const stranger = yield* HttpClient.get(url)
  const challenge = stranger.headers["www-authenticate"] ?? ""
  yield* check(stranger.status === 401, "a client without a token should be refused")
  yield* say("Without a token", `401, and where to learn more: ${metadataUrlIn(challenge)}`)

  const ada = yield* connectPerson(url, "ada")
  yield* say("Ada's client", `registered by itself as ${ada.clientId} and opened ${ada.page.origin}`)
  yield* say(
    "Ada logs in",
    "as at everything else of the company, and her client gets a token for the gateway"
  )
  yield* checkSubject(ada, "ada")
  yield* say("Ada calls a tool", yield* subjectOf(ada.client))

  const bob = yield* connectPerson(url, "bob")
  yield* checkSubject(bob, "bob")
  yield* say("Bob calls a tool", `${yield* subjectOf(bob.client)}  (the same gateway, the same server)`)

  const exchanges = (yield* provider.tokenRequests).filter(({ form }) => "subject_token" in form)
  yield* check(exchanges.length === 2, "each person's token should have been exchanged once")
  yield* say("Exchanged", "four calls, two exchanges: a token of Ada for the server, and one of Bob")

  const arrived = yield* company.echoServer.requests
  const isSeen = arrived.some(({ authorization }) =>
    [ada, bob].some(
      ({ token }) => authorization !== undefined && Redacted.value(authorization).includes(token)
    )
  )
  yield* check(!isSeen, "the tokens that people logged in for should stay at the gateway")
  yield* say(
    "Kept apart",
    `${arrived.length} requests at the server, none with the token that Ada or Bob logged in for`
  )

  const elsewhere = yield* HttpClient.get(mcpUrlOf("tickets"), {
    headers: { authorization: `Bearer ${ada.token}` }
  })
  yield* check(elsewhere.status === 401, "a token for one server should not open another")
  yield* say("Another server", "refuses Ada's token with 401: it is for the first one")

  yield* provider.rotateKey
  const carol = yield* connectPerson(url, "carol")
  yield* checkSubject(carol, "carol")
  yield* checkSubject(ada, "ada")
  yield* say("New keys", "the company signs with another key now: Carol logs in, and Ada goes on")
}, Effect.scoped)

type Person = Effect.Success<ReturnType<typeof connectPerson>>

const checkSubject = ({ client }: Person, name: string) =>
  Effect.flatMap(subjectOf(client), (text) =>
    check(text === `Subject: ${name}`, `the server should have been called as ${name}, it said "${text}"`)
  )

const metadataUrlIn = (challenge: string): string =>
  /resource_metadata="([^"]*)"/.exec(challenge)?.[1] ?? "(nothing)"
