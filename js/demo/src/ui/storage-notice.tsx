import type { Risk, Storage } from "@tidemark/client";
import { useDatabase, useStatus } from "@tidemark/react";
import { useEffect, useState } from "react";

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
  const text = warning(storage, risk);
  if (text === "") return null;
  return (
    <p className="problem" role="alert">
      {text}
      {risk !== null && (
        <button type="button" className="link" onClick={() => setRisk(null)}>
          Close
        </button>
      )}
    </p>
  );
}

function warning(storage: Storage | null, risk: Risk | null): string {
  if (risk !== null) return risk.message;
  if (storage?.level !== "memory") return "";
  return `This database is in memory only and goes with the page: ${storage.reason}. What the server has is safe.`;
}
