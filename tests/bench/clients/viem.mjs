// viem, one by one and pipelined: carries out the order on standard input, tells how long it took.
import { readFileSync } from "node:fs";
import { createPublicClient, createWalletClient, defineChain, encodeFunctionData, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const order = JSON.parse(readFileSync(0, "utf8"));
const { count, mode } = order;
const chain = defineChain({
  id: order.chainId,
  name: "bench",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [order.url] } },
});
const account = privateKeyToAccount(order.key);
const pipelined = mode === "pipelined";
const transport = http(order.url, { batch: pipelined ? { batchSize: 100, wait: 0 } : false, retryCount: 0 });
const wallet = createWalletClient({ account, chain, transport });
const reader = createPublicClient({ chain, transport, cacheTime: 0 });
const transfer = {
  address: order.token,
  abi: order.abi,
  functionName: "transfer",
  args: [order.recipient, 1n],
};

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// viem's own waiting looks again only when another block comes, which here is never.
async function receiptOf(hash) {
  for (;;) {
    try {
      return await reader.getTransactionReceipt({ hash });
    } catch (error) {
      if (error.name !== "TransactionReceiptNotFoundError") throw error;
      await pause(1);
    }
  }
}

async function oneByOne() {
  for (let done = 0; done < count; done += 1) {
    const receipt = await receiptOf(await wallet.writeContract(transfer));
    if (receipt.status !== "success") throw new Error(`${receipt.transactionHash} failed`);
  }
}

async function manyAtOnce() {
  const first = await reader.getTransactionCount({ address: account.address });
  const data = encodeFunctionData(transfer);
  const send = async (nonce) => {
    const serializedTransaction = await account.signTransaction({
      type: "eip1559",
      chainId: order.chainId,
      to: order.token,
      data,
      nonce,
      gas: BigInt(order.gas),
      maxFeePerGas: BigInt(order.maxFeeWei),
      maxPriorityFeePerGas: BigInt(order.tipWei),
    });
    return reader.sendRawTransaction({ serializedTransaction });
  };
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const nonce = first + next;
      next += 1;
      await send(nonce);
    }
  };
  await Promise.all(Array.from({ length: 200 }, worker));
  while ((await reader.getTransactionCount({ address: account.address })) < first + count) {
    await pause(10);
  }
}

const started = process.hrtime.bigint();
const cpuStarted = process.cpuUsage();
await (pipelined ? manyAtOnce() : oneByOne());
const cpu = process.cpuUsage(cpuStarted);
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
console.log(JSON.stringify({ seconds, cpu_seconds: (cpu.user + cpu.system) / 1e6 }));
