import * as NodeStream from "@effect/platform-node/NodeStream"
import { type AccessTokenRequest, type OAuthError, OAuthService } from "@secure-mcp/oauth-core"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { gatewayServices, isLoginOf, Logins } from "@secure-mcp/gateway-server"
import { openBrowser } from "@secure-mcp/gateway-server/internal"
import { failCommandWith } from "./CommandFailure.ts"
import { ConfigFlag } from "./ConfigFlag.ts"
import { loadPersonalGrant, ServerArgument, SubjectFlag } from "./ServerArgument.ts"

/** `login`: a person grants the gateway access to a server. */
export const LoginCommand = Command.make(
  "login",
  {
    server: ServerArgument,
    config: ConfigFlag,
    subject: SubjectFlag,
    browser: Flag.Boolean("browser").pipe(
      Flag.withDescription("Open a browser; without, print the URL and take the pasted redirect URL"),
      Flag.withDefault(true)
    ),
    device: Flag.Boolean("device").pipe(
      Flag.withDescription("Log in on another device, with a code"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* (flags) {
    const { config, request } = yield* loadPersonalGrant(flags)
    const byDevice = flags.device || request.config.grantType === "device_code"
    yield* login(request, byDevice, flags.browser).pipe(
      Effect.provide(
        Logins.layerAtTerminal(config.gateway).pipe(Layer.provideMerge(gatewayServices(config)))
      ),
      Effect.catchTag(
        ["OAuthError", "Misconfigured", "StoreUnavailable", "CallbackListenerError", "TooManyLogins"],
        failCommandWith(request)
      )
    )
    yield* Console.log(`Logged in to ${request.serverName}`)
  }, Effect.scoped)
).pipe(Command.withDescription("Log in to a server whose tokens a person grants"))

const login = Effect.fnUntraced(function* (request: AccessTokenRequest, byDevice: boolean, mayOpen: boolean) {
  if (byDevice) yield* loginOnDevice(request)
  else yield* loginInBrowser(request, mayOpen)
})

const loginInBrowser = Effect.fnUntraced(function* (request: AccessTokenRequest, mayOpen: boolean) {
  const logins = yield* Logins
  const end = yield* endOfLogin(logins, request).pipe(Effect.forkScoped({ startImmediately: true }))
  const authorizationUrl = yield* logins.begin(request)
  const opened = mayOpen && (yield* openBrowser(authorizationUrl))
  yield* Console.log(
    opened
      ? `Log in in the browser that has been opened, or open this URL:\n\n${authorizationUrl}\n`
      : `Open this URL, log in, and if the page that comes last cannot be shown, paste its URL here:\n\n${authorizationUrl}\n`
  )
  if (!opened) yield* Effect.forkScoped(readPasted(logins))
  yield* Fiber.join(end)
})

/** Completes when the login of this request is completed; fails when it fails. */
const endOfLogin = (
  logins: Logins["Service"],
  request: AccessTokenRequest
): Effect.Effect<void, OAuthError> =>
  Effect.raceFirst(
    logins.completed.pipe(
      Stream.filter((completed) => isLoginOf(request, completed)),
      Stream.runHead,
      Effect.asVoid
    ),
    logins.failed.pipe(
      Stream.filter(({ serverName }) => serverName === request.serverName),
      Stream.runForEach((error) => Effect.fail(error))
    )
  )

/**
 * Reads pasted redirect URLs until one completes the login. Standard input is closed at the end: otherwise it would keep
 * the process alive after a login in the browser.
 */
const readPasted = (logins: Logins["Service"]): Effect.Effect<void> =>
  NodeStream.fromReadable({ evaluate: () => process.stdin }).pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.map((line) => line.trim()),
    Stream.filter((line) => line !== ""),
    Stream.runForEach((line) => takePasted(logins, URL.parse(line))),
    Effect.ignore
  )

const takePasted = (logins: Logins["Service"], url: URL | null): Effect.Effect<void> =>
  url === null
    ? Console.error("This is not a URL. Paste the whole address of the last page")
    : logins.complete(url.searchParams).pipe(
        Effect.asVoid,
        Effect.catch(({ reason }) =>
          // Every other failure ends the command, which prints it.
          reason._tag === "AuthorizationResponseInvalid"
            ? Console.error(`${reason.message}. Paste the whole address of the last page`)
            : Effect.void
        )
      )

const loginOnDevice = Effect.fnUntraced(function* (request: AccessTokenRequest) {
  const oauth = yield* OAuthService
  const { token, userCode, verificationUri, verificationUriComplete } = yield* oauth.authorizeDevice(request)
  yield* Console.log(`On any device, open\n\n  ${verificationUri}\n\nand enter the code  ${userCode}`)
  if (verificationUriComplete !== undefined) yield* Console.log(`\nor open ${verificationUriComplete}`)
  yield* token
})
