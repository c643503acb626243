-- SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
--
-- client.lua - for server.lua: knows nothing of fibers but where it tells what
-- it was told.

local socket = require "socket"
local connection = assert(socket.connect("127.0.0.1", baton.receive()))
local line = assert(connection:receive("*l"))

connection:close()
baton.send(line)
