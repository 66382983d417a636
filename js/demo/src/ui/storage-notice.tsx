import type { Risk, Storage } from "@tidemark/client";
import { useDatabase, useStatus } from "@tidemark/react";
import { useEffect, useState } from "react";
import { Problem } from "./problem.tsx";

/** Warns when what is written would go with the page, and tells when storage failed in mid-session. */
export function StorageNotice() {
  const db = useDatabase();
  const { storage } = useStatus();
  const [risk, setRisk] = useState<Risk | null>(null);
  useEffect(
    () =>
      db.onEvent((e) => {
        if (e.type === "risk") setRisk(e.risk);
      }),
    [db],
  );
  return <Problem text={warning(storage, risk)} onClose={risk === null ? undefined : () => setRisk(null)} />;
}

function warning(storage: Storage | null, risk: Risk | null): string {
  if (risk !== null) return risk.message;
  if (storage?.level !== "memory") return "";
  return `This database is in memory only and goes with the page: ${storage.reason}. What the server has is safe.`;
}
