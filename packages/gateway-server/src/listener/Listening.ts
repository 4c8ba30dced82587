import type { Server } from "node:net"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** The address to listen on cannot be used. */
export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", {
  code: Schema.String
}) {
  override get message(): string {
    return this.code
  }
}

/** Listens; gives the address that was bound. Whoever closes the server ends it. */
export const listen = (server: Server, { host, port }: { readonly host: string; readonly port: number }) =>
  Effect.callback<NetAddress.InetAddress, CannotListen>((resume) => {
    const fail = (code: string) => resume(Effect.fail(new CannotListen({ code })))
    server.once("error", (error) => fail("code" in error ? String(error.code) : error.name))
    server.listen(port, host, () => {
      const address = server.address()
      if (typeof address !== "object" || address === null) return fail("no address")
      const bound = NetAddress.inetAddressFromIpString(address.address, address.port)
      return Result.isFailure(bound) ? fail("no address") : resume(Effect.succeed(bound.success))
    })
  })
