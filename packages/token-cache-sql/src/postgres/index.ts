export * from "./PostgresConnection.ts"
export { postgresUrlProblem } from "./PostgresUrl.ts"
