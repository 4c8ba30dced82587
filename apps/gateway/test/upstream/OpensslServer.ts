import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { spawn } from "node:child_process"
import type { Authority } from "./CertifiedServers.ts"

/** The URL of a server that only speaks TLS 1.2, where the alert about a client certificate always arrives. */
export const startOpensslServer = Effect.fnUntraced(function* (
  executable: string,
  authority: Authority,
  crl: string
) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped()
  const { certificatePath, privateKeyPath } = yield* Effect.flatMap(authority.issueServer(), (server) =>
    server.writeTo(directory, "server")
  )
  yield* files.writeFileString(`${directory}/ca.pem`, `${authority.certificatePem}\n${crl}`)
  const command = [
    [
      "s_server",
      "-accept",
      "127.0.0.1:0",
      "-www",
      "-tls1_2",
      "-cert",
      certificatePath,
      "-key",
      privateKeyPath
    ],
    ["-CAfile", `${directory}/ca.pem`, "-crl_check", "-Verify", "2", "-verify_return_error"]
  ]
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(executable, command.flat(), { stdio: ["ignore", "pipe", "ignore"] })),
    (child) =>
      Effect.callback<void>((resume) => {
        if (child.exitCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  )
  const port = yield* Effect.callback<string>((resume) => {
    let said = ""
    server.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text
      const accepting = /^ACCEPT 127\.0\.0\.1:(\d+)/m.exec(said)
      if (accepting?.[1] !== undefined) resume(Effect.succeed(accepting[1]))
    })
  })
  return `https://127.0.0.1:${port}/`
})
