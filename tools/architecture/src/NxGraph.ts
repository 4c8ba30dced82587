import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { root } from "./Workspace.ts"

/** What Nx says about the targets of all projects. */
export interface TargetGraph {
  /** The projects that a project depends on, by the name of each. */
  readonly dependencies: Readonly<Record<string, ReadonlyArray<string>>>
  /** What a target reads, one line for each input, by `project:target`. */
  readonly inputs: Readonly<Record<string, ReadonlyArray<string>>>
}

interface NxOutput {
  readonly graph: {
    readonly dependencies: Readonly<Record<string, ReadonlyArray<{ readonly target: string }>>>
  }
  readonly taskPlans: Readonly<Record<string, ReadonlyArray<string>>>
}

/** Asks Nx, which runs nothing for that. */
export const targetGraph = async (targets: ReadonlyArray<string>): Promise<TargetGraph> => {
  const directory = await mkdtemp(join(tmpdir(), "nx-graph-"))
  try {
    const output = join(directory, "graph.json")
    await promisify(execFile)("nx", ["run-many", "-t", targets.join(","), `--graph=${output}`], {
      cwd: root,
      env: {
        ...process.env,
        NX_DAEMON: "false",
        PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"]}`
      }
    })
    const { graph, taskPlans } = JSON.parse(await readFile(output, "utf8")) as NxOutput
    return {
      dependencies: mapValues(graph.dependencies, (arrows) =>
        arrows.map((arrow) => arrow.target).filter((name) => !name.startsWith("npm:"))
      ),
      inputs: taskPlans
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const mapValues = <A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
