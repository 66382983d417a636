import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { keepPage } from "./offline.ts";
import { keepFocus } from "./ui/keep-focus.ts";
import "./styles/base.css";
import "./styles/ui.css";
import "./styles/lab.css";
import "./styles/tracker.css";

keepPage();
keepFocus();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
