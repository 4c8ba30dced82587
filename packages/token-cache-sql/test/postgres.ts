import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import {
  postgresProgram,
  PostgresServer,
  type PostgresServerOptions,
  requireProgram
} from "@secure-mcp/testing"
import { randomUUID } from "node:crypto"
import { afterAll, beforeAll } from "vitest"

/** What a hook or a test can be skipped with. */
interface Skippable {
  readonly skip: (note: string) => never
}

/** A PostgreSQL for the tests of a file; where there is none, each test that asks for it is skipped. */
export const usePostgres = (options: PostgresServerOptions = {}) => {
  const found: { server: PostgresServer | undefined } = { server: undefined }
  const scope = Scope.makeUnsafe()
  beforeAll(async () => {
    const program = requireProgram(postgresProgram)
    if (program === undefined) return
    found.server = await Effect.runPromise(Scope.provide(PostgresServer.make(program, options), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const serverOr = ({ skip }: Skippable): PostgresServer =>
    found.server ?? skip("PostgreSQL is not installed: npm run setup:system")
  return {
    serverOr,
    /** The URL of a database that no other test has. */
    databaseOr: (context: Skippable) => {
      const server = serverOr(context)
      const name = `t${randomUUID().replaceAll("-", "")}`
      return Effect.as(server.query(`CREATE DATABASE ${name}`), server.url.replace(/postgres$/, name))
    }
  }
}
