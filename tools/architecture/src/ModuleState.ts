import { type ESTree, parseSync } from "rolldown/utils"
import { read } from "./Workspace.ts"

/**
 * The variables at the top level of a module that can change: `let`, and an empty collection that no type declares
 * read-only.
 */
export const moduleState = (file: string, text = read(file)): ReadonlyArray<string> =>
  parseSync(file, text).program.body.flatMap((statement) => {
    const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement
    if (declaration?.type !== "VariableDeclaration") return []
    return declaration.declarations
      .filter((variable) => declaration.kind !== "const" || isMutableCollection(variable, text))
      .map(({ id }) => text.slice(id.start, id.typeAnnotation?.start ?? id.end))
  })

const isMutableCollection = ({ id, init }: ESTree.VariableDeclarator, text: string): boolean =>
  init?.type === "NewExpression" &&
  init.callee.type === "Identifier" &&
  collections.has(init.callee.name) &&
  init.arguments.length === 0 &&
  !text.slice(id.start, id.end).includes("Readonly")

const collections: ReadonlySet<string> = new Set(["Map", "Set", "WeakMap", "WeakSet", "Array"])
