// What a refusal's `code` says in Chinese; `test_files` holds that none which the service sends is missing.

// Codes that say it all.
const WHOLE = {
  key_rate: "此密钥的请求过于频繁。",
  rate: "服务收到的请求过于频繁。",
  question_size: "问题太长。",
  key_runs: "此密钥未结束的研究已达上限。",
  key_waiting: "此密钥等待中的研究已达上限。",
  runs: "服务未结束的研究已达上限。",
  waiting: "等待中的研究已过多。",
  tenant_tokens: "本租户今日的令牌额度已用完或已被预留。",
  tenant_usd: "本租户今日的费用额度已用完或已被预留。",
  key_streams: "此密钥打开的实时连接过多。",
  streams: "服务的实时连接过多。",
  uploads: "同时上传的文件过多。",
  store_unavailable: "保存研究的存储暂时无法访问。",
  store_full: "存储空间已满。",
  blob_missing: "所存的内容已不存在。",
  internal: "服务内部出错，详情见服务日志。",
};

// Codes whose English detail says more; it follows.
const KINDS = {
  invalid_request: "请求的内容有误",
  input_error: "请求无法满足",
  missing_path: "找不到所指的文件",
  unknown_run: "没有这项研究",
  unknown_object: "没有这一项，可能已被删除",
  already_there: "已有同名的一项",
  idempotency_conflict: "同一请求以不同内容重复提交",
  wrong_state: "当前状态不允许此操作",
  budget_error: "预算无法满足",
  unauthenticated: "需要有效的密钥",
  unauthorized: "需要有效的密钥",
  not_permitted: "此密钥没有相应权限",
  extract_error: "无法从文件中读出文字",
  extract_timeout: "读取文件超时",
  too_large: "内容过大",
  model_error: "模型未能正常作答",
  model_unavailable: "模型服务不可用",
  model_rate_limited: "模型服务限制了请求频率",
  model_timeout: "模型服务超时",
  tool_error: "工具未能给出结果",
  tool_missing: "此服务没有该工具",
  invalid_arguments: "工具的参数有误",
  not_found: "地址或文档不存在",
  forbidden: "不允许访问该地址",
  limit_reached: "已达限额",
  provider_unavailable: "提供方不可用",
  provider_limited: "提供方限制了请求频率",
  fetch_timeout: "读取网页超时",
  fetch_rate_limited: "网站限制了请求频率",
  run_failed: "研究失败，没有报告",
  run_waits: "研究正在等待人工处理",
  run_cancelled: "研究已取消，没有报告",
  service_error: "服务未能正常应答",
  service_unavailable: "服务暂时不可用",
  error: "服务未能完成操作",
};

/** A refusal in Chinese, as far as its code tells; what is specific stays as the service wrote it. */
export function inChinese({ code, message }) {
  if (Object.hasOwn(WHOLE, code)) return WHOLE[code];
  return Object.hasOwn(KINDS, code) ? `${KINDS[code]}。（${message}）` : message;
}
