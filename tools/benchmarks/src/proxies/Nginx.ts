import * as Effect from "effect/Effect"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { awaitAnswer, freePort } from "../process/Answering.ts"
import { CouldNotStart } from "../process/CouldNotStart.ts"
import { startProcess } from "../process/StartedProcess.ts"
import type { Proxy } from "./Proxy.ts"

/** nginx with one worker, kept connections and one header that is set, as its manual advises. */
const configuration = (directory: string, port: number, upstreamUrl: string): string => `
daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; client_max_body_size 0; server_tokens off;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi; uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  upstream mcp { server ${new URL(upstreamUrl).host}; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://mcp; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer a-token"; proxy_buffering off; proxy_request_buffering off;
    }
  }
}
`

/** Debian puts it where the search path of a user who is not root does not look. */
const searchPath = `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin`

export const nginx: Proxy = {
  name: "nginx",
  start: Effect.fnUntraced(function* (_run, upstreamUrl) {
    const directory = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "benchmarks-nginx-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
    )
    const port = yield* freePort
    const file = join(directory, "nginx.conf")
    yield* Effect.promise(() => writeFile(file, configuration(directory, port, upstreamUrl)))
    const started = yield* startProcess("nginx", ["-p", directory, "-c", file], {
      env: { PATH: searchPath }
    }).pipe(
      Effect.mapError((error) =>
        error.isMissing === true
          ? new CouldNotStart({
              program: "nginx",
              reason: "not installed (apt-get install nginx)",
              isMissing: true
            })
          : error
      )
    )
    const url = `http://127.0.0.1:${port}/mcp`
    yield* awaitAnswer(started, "nginx", url)
    return { pid: started.pid, url }
  })
}
