import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { type Entry, root } from "./Entries.ts"

/** What an entry offers, as Markdown: each export with its types, and the types that they need. */
export const apiReport = ({ declarations, folder, report }: Entry): string => {
  const directory = mkdtempSync(join(tmpdir(), "api-report-"))
  try {
    const reportFileName = basename(report)
    const configObject = {
      projectFolder: folder,
      mainEntryPointFilePath: declarations,
      compiler: { overrideTsconfig: { compilerOptions, files: [declarations] } },
      // The base of each service class is not exported, and has all that the service offers.
      apiReport: {
        enabled: true,
        includeForgottenExports: true,
        reportFileName,
        reportFolder: directory,
        reportTempFolder: directory
      },
      newlineKind: "lf" as const,
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: silent,
        extractorMessageReporting: silent,
        tsdocMessageReporting: silent
      }
    }
    const config = ExtractorConfig.prepare({
      configObject,
      configObjectFullPath: undefined,
      packageJsonFullPath: join(folder, "package.json")
    })
    Extractor.invoke(config, {
      localBuild: true,
      messageCallback: (message) => {
        // It knows one version of TypeScript, and says which, and that the report is new.
        if (message.logLevel !== ExtractorLogLevel.Error) message.handled = true
      }
    })
    return readFileSync(join(directory, reportFileName), "utf8")
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const silent = { default: { logLevel: ExtractorLogLevel.None } }

const compilerOptions = {
  target: "es2024",
  lib: ["es2024", "esnext.disposable"],
  module: "nodenext",
  moduleResolution: "nodenext",
  types: ["node"],
  typeRoots: [join(root, "node_modules/@types")],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true,
  allowImportingTsExtensions: true
}
