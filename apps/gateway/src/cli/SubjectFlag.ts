import * as Flag from "effect/cli/Flag"

/** `--subject NAME` */
export const SubjectFlag = Flag.String("subject").pipe(
  Flag.withDescription("The person the grant is for: the `subject` of an entry of gateway.api_keys"),
  Flag.optional
)
