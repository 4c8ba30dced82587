import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { type ChildProcess, spawn } from "node:child_process"
import { freePort } from "../loopback/FreePort.ts"

/** How nginx is run. */
export interface NginxOptions {
  /** The path of nginx. */
  readonly executable: string
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string }
  /** More files, by name, for directives that need some: they are written into the directory nginx runs in. */
  readonly files?: Readonly<Record<string, string>>
  /** What stands beside the server block, such as a group of servers to choose from. */
  readonly http?: string
  /** The content of the server block besides its address and certificate. Relative paths are those of `files`. */
  readonly server: string
}

/** nginx on https, one process on a free port of 127.0.0.1, until the scope closes. */
export const startNginx = Effect.fnUntraced(function* (options: NginxOptions) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped({ prefix: "nginx-" })
  const contents = { "server.crt": options.tls.cert, "server.key": options.tls.key, ...options.files }
  for (const [name, content] of Object.entries(contents)) {
    yield* files.writeFileString(`${directory}/${name}`, content, { mode: 0o600 })
  }
  // Another process may take the port before nginx does.
  for (let attempt = 1; ; attempt++) {
    const port = yield* freePort
    yield* files.writeFileString(`${directory}/nginx.conf`, configuration(directory, port, options))
    const process = yield* run(options.executable, directory)
    const failure = yield* failureToStart(process)
    if (failure === undefined) return { url: `https://127.0.0.1:${port}` }
    if (attempt === 5) return yield* Effect.die(new Error(`nginx does not start: ${failure}`))
  }
})

const configuration = (directory: string, port: number, { http = "", server }: NginxOptions) => `
daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  ${http}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate server.crt;
    ssl_certificate_key server.key;
    ${server}
  }
}
`

const run = (executable: string, directory: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(executable, ["-p", directory, "-c", `${directory}/nginx.conf`, "-e", "stderr"], {
        stdio: ["ignore", "ignore", "pipe"]
      })
    ),
    (process) =>
      Effect.callback<void>((resume) => {
        if (process.exitCode !== null || process.signalCode !== null) return resume(Effect.void)
        process.once("exit", () => resume(Effect.void))
        process.kill("SIGKILL")
      })
  )

/** What it said when it ended, or undefined: it opens its ports before it says how it waits for events. */
const failureToStart = (process: ChildProcess) =>
  Effect.callback<string | undefined>((resume) => {
    let said = ""
    process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said += text
      if (said.includes("event method")) resume(Effect.undefined)
    })
    process.once("error", (error) => resume(Effect.die(error)))
    process.once("exit", () => resume(Effect.succeed(said)))
  })
