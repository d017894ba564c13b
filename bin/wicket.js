#!/usr/bin/env node
import { launch } from "./node24.js";

launch("wicket", "client/main.ts");
