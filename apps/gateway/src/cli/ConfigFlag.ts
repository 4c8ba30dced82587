import * as Flag from "effect/cli/Flag"

/** `--config FILE` */
export const ConfigFlag = Flag.String("config").pipe(
  Flag.withAlias("c"),
  Flag.withMetavar("FILE"),
  Flag.withDescription("The configuration file (JSON)")
)
