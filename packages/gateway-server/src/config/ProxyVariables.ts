import type { ConfigProblem, Proxies } from "@secure-mcp/oauth-core"
import { proxyProblem } from "@secure-mcp/oauth-core/internal"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

/** The proxies that the variables of the environment name, and what is wrong with these. */
export interface ProxyVariables {
  readonly proxies: Proxies
  readonly problems: ReadonlyArray<ConfigProblem>
}

/**
 * Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY. The names in lower case go first, and https goes through HTTP_PROXY if
 * there is no HTTPS_PROXY, as in undici. A proxy without a scheme is an http one.
 */
export const readProxyVariables: Effect.Effect<ProxyVariables> = Effect.gen(function* () {
  const http = yield* readProxy("HTTP_PROXY")
  const https = yield* readProxy("HTTPS_PROXY")
  return {
    proxies: {
      http: http.proxy,
      https: https.proxy ?? http.proxy,
      noProxy: Redacted.value(yield* readVariable("NO_PROXY"))
    },
    problems: [...http.problems, ...https.problems]
  }
})

const readProxy = Effect.fnUntraced(function* (name: string) {
  const value = Redacted.value(yield* readVariable(name))
  if (value === "") return { proxy: undefined, problems: [] }
  const proxy = Redacted.make(value.includes("://") ? value : `http://${value}`)
  const message = proxyProblem(proxy)
  return {
    proxy,
    problems:
      message === undefined
        ? []
        : [
            {
              path: [name],
              message: `the variable of the environment ${message}. Unset it, or set \`proxy\` of \`gateway\``
            }
          ]
  }
})

/** Redacted, because a proxy may have a password. Empty if the variable is not set. */
const readVariable = (name: string): Effect.Effect<Redacted.Redacted> =>
  Effect.map(
    Effect.forEach([name.toLowerCase(), name], readExactly),
    (values) => values.find((value) => Redacted.value(value) !== "") ?? Redacted.make("")
  )

const readExactly = (name: string): Effect.Effect<Redacted.Redacted> =>
  Effect.map(
    Effect.orElseSucceed(Config.Redacted(name), () => Redacted.make("")),
    (value) => Redacted.make(Redacted.value(value).trim())
  )
