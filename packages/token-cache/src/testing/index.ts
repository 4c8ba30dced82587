export { ContractTime, ContractViolation, type ContractPoint } from "./ContractPoint.ts"
export {
  crashContract,
  runCrashTask,
  StoreProcesses,
  type CrashPoint,
  type CrashTask,
  type StoreProcess
} from "./CrashContract.ts"
export { EncryptedStore, encryptionContract, type EncryptionPoint } from "./EncryptionContract.ts"
export { keptTokensContract } from "./KeptTokensContract.ts"
export { MemoryTokenStore } from "./MemoryTokenStore.ts"
export { leasesContract, tokenStoreContract } from "./TokenStoreContract.ts"
export { renewThroughOutage } from "./OutageContract.ts"
