import * as Effect from "effect/Effect"
import { startGateway } from "../gateway/Gateway.ts"
import type { Job } from "../load/Job.ts"
import { startLoadGenerator } from "../load/LoadGenerator.ts"
import { mcpHeaders, toolCall } from "../load/McpRequest.ts"
import type { Contender, Run } from "../measurement/Measurement.ts"
import { startServer } from "../process/NodeProgram.ts"
import { usageOf } from "../process/ProcessTree.ts"
import { tokenEndpoint, upstream } from "../servers/Servers.ts"
import { redisStore, startRedis } from "./Redis.ts"
import { personOAuth, storeTokens } from "./StoredPersons.ts"

/** The API key of a person. */
const keyOf = (subject: string): string => `the-key-that-${subject}-holds`

/** A gateway at which so many persons have logged in, each with an API key and a token in Redis. */
export const startPersons = Effect.fnUntraced(function* (run: Run, count: number) {
  const subjects = Array.from({ length: count }, (_, number) => `person${number}`)
  const redis = yield* startRedis
  const server = yield* startServer(upstream)
  const tokens = yield* startServer(tokenEndpoint)
  const oauth = personOAuth(tokens.url)
  yield* storeTokens(redis, "persons", oauth, subjects)
  const { pid, url } = yield* startGateway(run, {
    gateway: { api_keys: subjects.map((subject) => ({ subject, key: keyOf(subject) })) },
    store: redisStore(redis),
    servers: [{ server_name: "persons", config: { url: `${server.url}/mcp` }, oauth }]
  })
  const job: Job = {
    url: `${url}/servers/persons/mcp`,
    method: "POST",
    connections: 32,
    seconds: 2 * run.share,
    headers: mcpHeaders,
    authorizations: subjects.map((subject) => `Bearer ${keyOf(subject)}`),
    body: toolCall()
  }
  return { pid, job }
})

/** How long persons may take for their first requests, in seconds. */
const longestWarmUp = 30

/** A gateway whose persons make requests in turn, after each of them has made one. */
export const requestsOfPersons = (name: string, persons: number): Contender => ({
  name,
  start: Effect.fnUntraced(function* (run) {
    const count = Math.max(1, Math.round(persons * run.share))
    const { job, pid } = yield* startPersons(run, count)
    const doJob = yield* startLoadGenerator
    const requests = Math.max(count, 6000 * run.share)
    yield* Effect.promise(() => doJob({ ...job, requests, seconds: longestWarmUp }))
    return async () => {
      const before = usageOf(pid).cpu
      const { answered, p99, seconds } = await doJob(job)
      return {
        cpu: (usageOf(pid).cpu - before) / answered,
        rate: answered / seconds,
        p99,
        memory: usageOf(pid).memory
      }
    }
  })
})
