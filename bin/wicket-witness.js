#!/usr/bin/env node
import { launch } from "./node24.js";

launch("wicket-witness", "witness/main.ts");
