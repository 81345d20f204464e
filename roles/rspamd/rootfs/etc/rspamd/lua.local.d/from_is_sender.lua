-- Mail of somebody who logged in: is every address in From: the envelope's sender? Postfix found that one to be the own.
rspamd_config:register_symbol({
  name = 'BSW_FROM_IS_NOT_SENDER',
  type = 'normal',
  score = 0.0,
  group = 'bsw',
  description = 'From: is not the address that the mail was handed over with',
  callback = function(task)
    if not task:get_user() then
      return false
    end
    local sender = (task:get_from({ 'smtp', 'orig' }) or {})[1]
    local from = task:get_from({ 'mime', 'orig' })
    if not sender or (sender.addr or '') == '' then
      -- reports have no sender (RFC 8098, 3): only they
      local content = task:get_header('Content-Type') or ''
      return not content:lower():match('^%s*multipart/report')
    end
    if not from or #from == 0 then
      return true
    end
    for _, address in ipairs(from) do
      if (address.addr or ''):lower() ~= sender.addr:lower() then
        return true, 1.0, address.addr
      end
    end
    return false
  end,
})
