// Names of the service in words: deeds of the audit log (`thing:verb`), and checks of its health.

import { language } from "./words.js";

const DEEDS = {
  "runs:start": ["Started research", "开始研究"],
  "runs:steer": ["Steered research", "操作进行中的研究"],
  "runs:delete": ["Deleted research", "删除研究"],
  "runs:share": ["Changed share links", "更改分享链接"],
  "corpora:write": ["Changed documents", "更改文档"],
  "schedules:write": ["Changed a schedule", "更改定时研究"],
  "schedules:add": ["Added a schedule", "添加定时研究"],
  "schedules:pause": ["Paused a schedule", "暂停定时研究"],
  "schedules:resume": ["Resumed a schedule", "恢复定时研究"],
  "schedules:remove": ["Removed a schedule", "删除定时研究"],
  "webhooks:write": ["Changed a webhook", "更改网络回调"],
  "tools:call": ["Called a tool", "调用工具"],
  "models:call": ["Called a model", "调用模型"],
  "keys:manage": ["Changed keys", "更改密钥"],
  "keys:create": ["Made a key", "生成密钥"],
  "keys:rotate": ["Rotated a key", "轮换密钥"],
  "keys:revoke": ["Revoked a key", "撤销密钥"],
  "secrets:manage": ["Changed provider keys", "更改提供方密钥"],
  "secrets:set": ["Set a provider key", "设置提供方密钥"],
  "secrets:rotate": ["Encrypted provider keys anew", "重新加密提供方密钥"],
  "secrets:remove": ["Removed a provider key", "删除提供方密钥"],
  "tenants:create": ["Made a tenant", "新建租户"],
  "tenants:limit": ["Changed a tenant's limits", "更改租户限额"],
};

const CHECKS = {
  settings: "设置", versions: "版本", model_service: "模型服务", embeddings: "向量模型", rerank: "重排模型", parts: "各部分", tool_servers: "外部工具", store: "存储", queue: "队列",
  broker: "消息代理", blobs: "文件存储", accounts: "账户", cache: "缓存", limits: "限额", event_log: "事件日志", resources: "系统资源",
  file_handles: "文件句柄", clock: "时钟", search: "搜索", sandbox: "沙箱", corpora: "文档集", webhooks: "网络回调", disk: "磁盘",
};

/** What a check of the service is called; what is not known here is shown as it is named. */
export function checkName(name) {
  const plain = name.replaceAll("_", " ");
  return language() === "zh" ? CHECKS[name] ?? plain : plain;
}

/** What was done, in words; what is not known here stays as it is written. */
export function deed(action) {
  return DEEDS[action]?.[language() === "zh" ? 1 : 0] ?? action;
}
