import type { MakeResponse } from "./Oracle.ts"

type Headers = Readonly<Record<string, string>>

/** An answer with this value as JSON. */
export const json =
  (body: unknown, status = 200, headers: Headers = {}): MakeResponse =>
  () =>
    Response.json(body, { status, headers })

/** An answer with this body, under any content type. */
export const text =
  (body: string | null, type = "application/json", status = 200, headers: Headers = {}): MakeResponse =>
  () =>
    new Response(body, { status, headers: { "content-type": type, ...headers } })

/** An answer that has no body at all. */
export const noContent: MakeResponse = () => new Response(null, { status: 204 })
