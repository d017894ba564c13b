#!/usr/bin/env node
import { launch } from "./node24.js";

launch("wicket-connector", "tunnel-connector/main.ts");
