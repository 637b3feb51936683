DROP TABLE generations, sends, messages, chat_members, chats;
