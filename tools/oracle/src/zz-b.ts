import { replayBeginning } from "/work/wt/projectors/tools/oracle/src/adapter-beginnings.ts";
import { replayAdapter } from "/work/wt/projectors/tools/oracle/src/adapters.ts";
const f=process.argv[2]!;
for (const [v,k] of [["pissa","pissa"],["pissa-rslora","pissa"],["pissa-niter","pissa_niter_2000"],["olora","olora"],["olora-patterns","olora"]]) { try {console.log(v, JSON.stringify(await replayBeginning(`${f}/${v}`,k!)));} catch(e) {console.log(v,e)}
 try {console.log(JSON.stringify(await replayAdapter(`${f}/${v}`,v!)));} catch(e) {console.log(v,e)} }
