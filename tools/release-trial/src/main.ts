/**
 * `npm run release-trial`: the day of a stranger. Everything is built, versioned and published to a registry on this
 * machine; then it is installed in an empty folder, type-checked strictly in two ways, and run.
 *
 * `--write-readme` writes what each package installs into the README.
 */
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { run } from "./Command.ts"
import { installedWith } from "./Installed.ts"
import { rowOf, withTable } from "./ReadmeTable.ts"
import { startRegistry } from "./Registry.ts"
import { releaseFrom } from "./Release.ts"
import { complaintsOf } from "./Tarballs.ts"

const root = resolve(import.meta.dirname, "../../..")
const strangers = resolve(import.meta.dirname, "../strangers")
const directory = mkdtempSync(join(tmpdir(), "release-trial-"))
const say = (text: string) => void process.stdout.write(`${text}\n`)

const begin = performance.now()
const step = async <A>(title: string, work: () => Promise<A>): Promise<A> => {
  const start = performance.now()
  const result = await work()
  say(`${title.padEnd(48)} ${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s`)
  return result
}

const registry = await step("start a registry", () => startRegistry(root, join(directory, "registry")))
try {
  const released = await step("number the versions and publish", () =>
    releaseFrom(root, join(directory, "copy"), registry)
  )
  const complaints = await step("publint --strict and attw", async () => {
    const all: Array<string> = []
    for (const one of released) all.push(...(await complaintsOf(one, registry.url)))
    return all
  })
  if (complaints.length > 0) throw new Error(complaints.join("\n"))

  const stranger = join(directory, "stranger")
  mkdirSync(stranger)
  cpSync(strangers, stranger, { recursive: true })
  const programs = globSync("*.{ts,cts}", { cwd: stranger }).toSorted()
  writeFileSync(
    join(stranger, "package.json"),
    JSON.stringify({ name: "stranger", private: true, type: "module" })
  )
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly devDependencies: Readonly<Record<string, string>>
  }
  const wanted = [
    ...released.map(({ name, version }) => `${name}@${version}`),
    ...["effect", "@effect/platform-node", "@types/node", "typescript"].map(
      (name) => `${name}@${devDependencies[name]}`
    ),
    "@modelcontextprotocol/client@2.4.0",
    "redis@6"
  ]
  await step("install all of it", () =>
    run("npm", ["install", "--no-audit", "--no-fund", ...wanted], { cwd: stranger, env: registry.env })
  )
  for (const resolution of ["nodenext", "bundler"]) {
    const options = {
      extends: undefined,
      files: resolution === "bundler" ? programs.filter((program) => program.endsWith(".ts")) : programs,
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
    await step(`check the types (${resolution})`, () =>
      run(join(stranger, "node_modules/.bin/tsc"), ["-p", `tsconfig.${resolution}.json`], { cwd: stranger })
    )
  }
  for (const program of programs)
    await step(
      `run ${program} (${readFileSync(join(stranger, program), "utf8").split("\n").length - 1} lines)`,
      () => run(process.execPath, [program], { cwd: stranger })
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
  registry.stop()
  rmSync(directory, { recursive: true, force: true })
}
