import { OAuthService } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import { asProcess } from "./AsProcess.ts"

/** The person gives the grant of this name. */
export const grant = (document: object, name: string) =>
  asProcess(document, (request) =>
    Effect.gen(function* () {
      const oauth = yield* OAuthService
      const { authorizationUrl } = yield* oauth.authorize(request, {
        redirectUri: "http://127.0.0.1/callback"
      })
      const state = new URL(authorizationUrl).searchParams.get("state") ?? ""
      yield* oauth.completeAuthorization({ code: name, state })
    })
  )
