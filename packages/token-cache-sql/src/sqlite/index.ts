export * from "./SqliteConnection.ts"
export * from "./SqliteKeyFile.ts"
export { sqliteUrlProblem } from "./SqlitePath.ts"
