/**
 * `npm run release-trial`: the day of a stranger. Everything is built, versioned and published to a registry on this
 * machine; then it is installed in an empty folder, type-checked strictly in two ways, and run, each program with what it names
 * and nothing else. Then comes another release, to which a program is upgraded.
 *
 * `--write-readme` writes what each package installs into the README.
 */
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { run } from "./Command.ts"
import { checkFileOfReadme, checkInEmptyFolder, startOnOldNode } from "./CommandLine.ts"
import { bytesIn, installedWith, installOnly } from "./Installed.ts"
import { linesOf, packagesIn } from "./Programs.ts"
import { rowOf, withTable } from "./ReadmeTable.ts"
import { type Registry, startRegistry } from "./Registry.ts"
import { announceChange, copyRepository, releaseFrom } from "./Release.ts"
import { findOldNode, installDeno } from "./Runtimes.ts"
import { startServers } from "./Servers.ts"
import { printHeads, step } from "./Steps.ts"
import { complaintsOf } from "./Tarballs.ts"
import { installRelease, upgradeTo } from "./Upgrade.ts"

const root = resolve(import.meta.dirname, "../../..")
const directory = mkdtempSync(join(tmpdir(), "release-trial-"))
const say = (text: string) => void process.stdout.write(`${text}\n`)

const begin = performance.now()
const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly devDependencies: Readonly<Record<string, string>>
}
const sdk = "@modelcontextprotocol/client@2.4.0"

const published = ({ storage }: Registry, version: string): number =>
  globSync(`**/*-${version}.tgz`, { cwd: storage }).reduce(
    (sum, file) => sum + statSync(join(storage, file)).size,
    0
  )

printHeads()
const registry = await step("start a registry", () => startRegistry(root, join(directory, "registry")))
const toStop = [registry.stop]
try {
  const copy = join(directory, "copy")
  await copyRepository(root, copy)
  const released = await step(
    "number the versions and publish",
    () => releaseFrom(root, copy, registry),
    ([first]) => ({ bytes: published(registry, first?.version ?? "") })
  )
  const complaints = await step("publint --strict and attw", async () => {
    const all: Array<string> = []
    for (const one of released) all.push(...(await complaintsOf(one, registry.url)))
    return all
  })
  if (complaints.length > 0) throw new Error(complaints.join("\n"))

  const stranger = join(directory, "stranger")
  cpSync(resolve(import.meta.dirname, "../strangers"), stranger, { recursive: true })
  const files = globSync("*.{ts,cts}", { cwd: stranger }).toSorted()
  const lines = files.reduce((sum, file) => sum + linesOf(join(stranger, file)), 0)
  const manifest = JSON.stringify({ name: "stranger", private: true, type: "module" })
  writeFileSync(join(stranger, "package.json"), manifest)
  const wanted = [
    ...released.map(({ name, version }) => `${name}@${version}`),
    ...["effect", "@effect/platform-node", "@types/node", "typescript"].map(
      (name) => `${name}@${devDependencies[name]}`
    ),
    sdk,
    "redis@6"
  ]
  await step(
    "install all of it",
    () => run("npm", ["install", "--no-audit", "--no-fund", ...wanted], { cwd: stranger, env: registry.env }),
    () => ({ lines: 1, bytes: bytesIn(join(stranger, "node_modules")) })
  )
  for (const resolution of ["nodenext", "bundler"]) {
    const options = {
      files: resolution === "bundler" ? files.filter((file) => file.endsWith(".ts")) : files,
      compilerOptions: {
        target: "es2024",
        module: resolution === "bundler" ? "esnext" : "nodenext",
        moduleResolution: resolution,
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
        noEmit: true
      }
    }
    writeFileSync(join(stranger, `tsconfig.${resolution}.json`), JSON.stringify(options))
    await step(
      `check the types (${resolution})`,
      () =>
        run(join(stranger, "node_modules/.bin/tsc"), ["-p", `tsconfig.${resolution}.json`], {
          cwd: stranger
        }),
      () => ({ lines })
    )
  }

  const servers = await startServers(stranger)
  toStop.push(servers.stop)
  const deno = await step(
    "install Deno",
    () => installDeno(join(directory, "runtimes"), registry),
    () => ({ lines: 1, bytes: bytesIn(join(directory, "runtimes/node_modules")) })
  )
  const programs = files.filter(
    (file) => file !== "servers.ts" && (file !== "redis.ts" || "REDIS_URL" in servers.env)
  )
  if (!programs.includes("redis.ts")) say("There is no Redis here: redis.ts is not run")
  for (const file of programs) {
    const alone = join(directory, "alone", file)
    const bytes = installOnly(stranger, packagesIn(readFileSync(join(stranger, file), "utf8")), alone)
    cpSync(join(stranger, file), join(alone, file))
    writeFileSync(join(alone, "package.json"), manifest)
    const runtimes = [
      { name: "", program: process.execPath, args: [] },
      ...(file.startsWith("promise.")
        ? [{ name: " with Deno", program: deno, args: ["run", "--allow-all"] }]
        : [])
    ]
    for (const { args, name, program } of runtimes)
      await step(
        `run ${file}${name}`,
        () => run(program, [...args, file], { cwd: alone, env: servers.env }),
        () => ({ lines: linesOf(join(alone, file)), bytes })
      )
  }

  const empty = join(directory, "empty")
  await step(
    "npx @secure-mcp/gateway check, nothing there",
    () => checkInEmptyFolder(empty, registry),
    () => ({ lines: 1, bytes: bytesIn(join(directory, "registry/cache/_npx")) })
  )
  await step(
    "npx @secure-mcp/gateway check, a file",
    () => checkFileOfReadme(root, empty, registry),
    () => ({ lines: linesOf(join(empty, "gateway.json")) })
  )
  const old = findOldNode()
  const gateway = join(stranger, "node_modules/@secure-mcp/gateway/bin/secure-mcp-gateway.cjs")
  if (old === undefined) say("There is no Node here that is too old: what it is told is not tried")
  else
    await step(`start the gateway on Node ${old.version}`, async () =>
      startOnOldNode(old.path, old.version, gateway)
    )

  const upgraded = join(directory, "upgrade")
  const version = released[0]?.version ?? ""
  await step(
    `install ${version} of the client`,
    () =>
      installRelease(
        join(stranger, "promise.ts"),
        upgraded,
        [`@secure-mcp/oauth-client@${version}`, sdk],
        registry
      ),
    () => ({ lines: 1, bytes: bytesIn(join(upgraded, "node_modules")) })
  )
  const later = await step(
    "publish another release",
    () => {
      announceChange(copy, released)
      return releaseFrom(root, copy, registry)
    },
    ([first]) => ({ bytes: published(registry, first?.version ?? "") })
  )
  await step(
    `npm update, to ${later[0]?.version}`,
    () => upgradeTo(later, upgraded, registry),
    () => ({ lines: 1, bytes: bytesIn(join(upgraded, "node_modules")) })
  )
  await step(
    "run promise.ts after the upgrade",
    () => run(process.execPath, ["program.ts"], { cwd: upgraded, env: servers.env }),
    () => ({ lines: linesOf(join(upgraded, "program.ts")) })
  )

  const rows = released
    .map(({ name }) => installedWith(stranger, name))
    .toSorted(({ name: a }, { name: b }) => (a < b ? -1 : 1))
  say(`\n${rows.map(rowOf).join("\n")}`)
  if (process.argv.includes("--write-readme")) {
    const readme = join(root, "README.md")
    writeFileSync(readme, withTable(readFileSync(readme, "utf8"), rows))
    await run("oxfmt", [readme], { cwd: root })
  }
  say(`\nall of it: ${((performance.now() - begin) / 1000).toFixed(0)} s`)
} finally {
  for (const stop of toStop) stop()
  rmSync(directory, { recursive: true, force: true })
}
