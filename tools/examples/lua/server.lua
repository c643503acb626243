-- SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
--
-- server.lua - for lua: twenty scripts beside this one wait for a line from it,
-- all at once; it answers none before all of them wait.

local socket = require "socket"
local here = debug.getinfo(1, "S").source:match("^@(.*/)")
local server = assert(socket.bind("127.0.0.1", 0))
local _, port = server:getsockname()
local clients, sum = {}, 0

for _ = 1, 20 do
	baton.send(port)
	baton.spawn(here .. "client.lua")
end
for i = 1, 20 do
	clients[i] = server:accept()
end
for i, client in ipairs(clients) do
	client:send(i .. "\n")
	client:close()
end
for _ = 1, 20 do
	sum = sum + tonumber(baton.receive())
end
baton.close()
print(sum, baton.receive(), pcall(baton.send, 1))
