import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { openInBrowser, readable } from "../src/client/Person.ts"

/** A web site on a loopback port until the scope closes. */
const site = (answer: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer(answer).listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close: () => server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

describe("a person who opens the URL of a login", () => {
  it.effect("the person follows redirects with the cookies that were set on the way", () =>
    Effect.gen(function* () {
      const { url } = yield* site((request, response) => {
        if (request.url === "/authorize")
          response.writeHead(302, { location: "/consent", "set-cookie": "session=1; HttpOnly" }).end()
        else response.end(`<p>${request.headers.cookie ?? "no cookie"}</p>`)
      })
      assert.deepStrictEqual(yield* openInBrowser(`${url}/authorize`), { status: 200, text: "session=1" })
    })
  )

  it.effect("the person presses the button of a page, and follows where it leads", () =>
    Effect.gen(function* () {
      const { url } = yield* site((request, response) => {
        if (request.url === "/login")
          response.end('<form method="post" action="/login?confirm=1"><button></form>')
        else if (request.method === "POST") response.writeHead(303, { location: "/authorize" }).end()
        else response.end(`<p>${request.method} ${request.url}</p>`)
      })
      assert.deepStrictEqual(yield* openInBrowser(`${url}/login`), { status: 200, text: "GET /authorize" })
    })
  )

  it.effect("the person gives up when redirects do not end", () =>
    Effect.gen(function* () {
      const { url } = yield* site((_, response) => response.writeHead(302, { location: "/again" }).end())
      const page = yield* openInBrowser(url)
      assert.strictEqual(page.status, 508)
      assert.include(page.text, "redirects")
    })
  )

  it("the person reads the text of a page and not its markup", () => {
    assert.strictEqual(
      readable("<style>p{}</style><p>It lacks the &quot;iss&quot;</p>"),
      'It lacks the "iss"'
    )
  })
})
