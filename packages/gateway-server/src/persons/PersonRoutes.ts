import * as ByteSize from "effect/ByteSize"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import type { ServerResponse } from "node:http"
import { issuersOfPeople } from "../config/CallersSettings.ts"
import type { GatewaySettings } from "../config/GatewaySettings.ts"
import { alreadyWritten, nodeExchange, pathOf } from "../http/NodeExchange.ts"
import { type BrowserPage, pageHeaders, textPage } from "../login/BrowserPage.ts"
import { readCookies } from "../login/LoginCookie.ts"
import { personPaths, personPrefix } from "../login/PersonPaths.ts"
import { makePersonVisits } from "./PersonVisits.ts"

/** The longest form, in bytes. */
const longestForm = ByteSize.kilobytes(16)

/** The routes of people in a browser. */
export const PersonRoutes = {
  /**
   * `/me` and what is below it: where people see and change what they have granted, for a gateway whose callers have an
   * issuer (`callers.jwt`, `callers.introspection`). Nothing is there otherwise.
   *
   * @example
   * ```ts
   * import { GatewayServer, type GatewayConfig, McpRoute, PersonRoutes } from "@secure-mcp/gateway-server"
   * import * as Layer from "effect/Layer"
   *
   * // Without the routes of operators.
   * export const server = (config: GatewayConfig) =>
   *   GatewayServer.layer(config, { routes: Layer.mergeAll(McpRoute, PersonRoutes.layer(config.gateway)) })
   * ```
   */
  layer: (settings: GatewaySettings) => routes(settings)
}

const routes = (settings: GatewaySettings) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const { callers, publicUrl } = settings
      if (publicUrl === undefined || issuersOfPeople(callers).length === 0) return
      const visit = yield* makePersonVisits(settings, publicUrl)
      const prefix = personPrefix(publicUrl)

      const answer = Effect.gen(function* () {
        const effectRequest = yield* HttpServerRequest.HttpServerRequest
        const { request, response } = yield* nodeExchange(effectRequest)
        const { headers, method } = request
        // A HEAD comes from the preview of a message, and gets an answer and no cookie.
        if (method === "HEAD") return yield* write(response, { status: 200, html: "" })
        if (method !== "GET" && method !== "POST") return yield* write(response, otherMethod)
        const path = pathOf(request)
        const form = yield* Effect.result(
          method === "GET"
            ? Effect.succeed("")
            : effectRequest.text.pipe(Effect.provideService(HttpIncomingMessage.MaxBodySize, longestForm))
        )
        if (form._tag === "Failure") return yield* write(response, tooLong)
        const page = visit({
          method,
          // A reverse proxy may have taken the path of the public URL away.
          path: prefix !== "" && path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path,
          parameters: new URLSearchParams((request.url ?? "").split("?").slice(1).join("?")),
          cookies: readCookies(headers.cookie),
          fetchSite: [headers["sec-fetch-site"]].flat()[0],
          form: new URLSearchParams(form.success)
        })
        return yield* write(response, yield* page)
      })
      yield* router.add("*", `${personPaths.me}/*`, answer)
      if (prefix !== "") yield* router.add("*", `/${prefix.slice(1)}${personPaths.me}/*`, answer)
    })
  ).pipe(Layer.provide(SecureRandom.layerWebCrypto))

const write = (response: ServerResponse, { headers, html, status }: BrowserPage) =>
  Effect.sync(() => {
    const { connection: _, ...own } = pageHeaders()
    // No page of another origin has a use for them.
    for (const name of ["access-control-allow-origin", "access-control-expose-headers"])
      response.removeHeader(name)
    response.writeHead(status, { ...own, ...headers }).end(html)
    return alreadyWritten
  })

const otherMethod = textPage(405, "This page is for a browser")
const tooLong = textPage(413, "Too long", "The form is longer than any of this gateway.")
