import type { ReactNode } from "react";

interface IconProps {
  readonly size?: number;
}

/** Icons are drawn with lines of one weight and take the colour of the text. */
function icon(children: ReactNode): (props: IconProps) => ReactNode {
  return ({ size = 18 }) => (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

export const CheckIcon = icon(<path d="m5 12.5 4.5 4.5L19 7.5" />);
export const CrossIcon = icon(<path d="M6 6l12 12M18 6 6 18" />);
export const PlusIcon = icon(<path d="M12 5v14M5 12h14" />);
export const MergeIcon = icon(<path d="M6 4v4c0 5 12 3 12 8v4M18 4v4c0 5-12 3-12 8v4" />);
export const ForkIcon = icon(
  <>
    <path d="M12 20v-7c0-4-6-3-6-8M12 13c0-4 6-3 6-8" />
    <path d="M3.5 7 6 4.5 8.5 7M15.5 7 18 4.5 20.5 7" />
  </>,
);
export const BackIcon = icon(<path d="M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3" />);
export const UpIcon = icon(<path d="m6 14 6-6 6 6" />);
export const PlayIcon = icon(<path d="M8 5v14l11-7z" fill="currentColor" />);
export const SearchIcon = icon(
  <>
    <circle cx="11" cy="11" r="6" />
    <path d="m20 20-4.5-4.5" />
  </>,
);
export const CalendarIcon = icon(
  <>
    <rect x="4" y="5" width="16" height="16" rx="2" />
    <path d="M4 10h16M8 3v4M16 3v4" />
  </>,
);
export const NoteIcon = icon(<path d="M5 7h14M5 12h14M5 17h8" />);
export const CommentIcon = icon(<path d="M21 12a8 8 0 0 1-11.5 7.2L4 20l1-4.5A8 8 0 1 1 21 12z" />);
export const SunIcon = icon(
  <>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4" />
  </>,
);
export const MoonIcon = icon(<path d="M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5z" />);
export const SunMoonIcon = icon(
  <>
    <circle cx="12" cy="12" r="8" />
    <path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor" />
  </>,
);
export const InspectIcon = icon(
  <>
    <ellipse cx="11" cy="6" rx="7" ry="3" />
    <path d="M4 6v11c0 1.7 3.1 3 7 3M18 6v4M4 11.5c0 1.7 3.1 3 7 3" />
    <circle cx="17" cy="16" r="3" />
    <path d="m21 20-1.8-1.8" />
  </>,
);
export const ServerIcon = icon(
  <>
    <rect x="4" y="4" width="16" height="7" rx="2" />
    <rect x="4" y="13" width="16" height="7" rx="2" />
    <path d="M8 7.5h.01M8 16.5h.01" />
  </>,
);
export const CopyIcon = icon(
  <>
    <rect x="9" y="9" width="11" height="11" rx="2" />
    <path d="M5 15V6a2 2 0 0 1 2-2h8" />
  </>,
);
export const DeviceIcon = icon(<path d="M6 5h12v10H6zM3 19h18" />);
export const PeopleIcon = icon(
  <>
    <circle cx="9" cy="8" r="3.5" />
    <path d="M2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M15.5 4.7a3.5 3.5 0 0 1 0 6.6M18 14.5c2.1.8 3.5 2.7 3.5 5.5" />
  </>,
);
export const TerminalIcon = icon(<path d="m5 8 4 4-4 4M12 17h7" />);
export const KeyboardIcon = icon(
  <>
    <rect x="3" y="6" width="18" height="12" rx="2" />
    <path d="M7 10h.01M11 10h.01M15 10h.01M8 14h8" />
  </>,
);
export const MoreIcon = icon(
  <g fill="currentColor" stroke="none">
    <circle cx="5.5" cy="12" r="1.8" />
    <circle cx="12" cy="12" r="1.8" />
    <circle cx="18.5" cy="12" r="1.8" />
  </g>,
);
export const TrashIcon = icon(<path d="M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13" />);
export const ClockIcon = icon(
  <>
    <circle cx="12" cy="12" r="8" />
    <path d="M12 8v4l3 2" />
  </>,
);

export const LockIcon = icon(
  <>
    <rect x="5" y="11" width="14" height="9" rx="2" />
    <path d="M8 11V8a4 4 0 0 1 8 0v3" />
  </>,
);
export const EyeIcon = icon(
  <>
    <path d="M2.5 12C5 7.5 8.2 5.5 12 5.5s7 2 9.5 6.5c-2.5 4.5-5.7 6.5-9.5 6.5s-7-2-9.5-6.5z" />
    <circle cx="12" cy="12" r="2.8" />
  </>,
);
export const NewTabIcon = icon(
  <path d="M14 4h6v6M20 4l-9 9M18 14v4a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h4" />,
);
export const LeaveIcon = icon(<path d="M10 4H6a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h4M15 8l4 4-4 4M19 12H9" />);
export const ArriveIcon = icon(<path d="M14 4h4a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-4M9 8l4 4-4 4M13 12H3" />);

/** The mark: two lines that the tide left. */
export function Mark({ size = 26 }: IconProps): ReactNode {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false" className="mark">
      <rect width="32" height="32" rx="9" className="mark-ground" />
      <path d="M4 13c4-5 8-5 12 0s8 5 12 0" className="mark-near" />
      <path d="M4 21c4-5 8-5 12 0s8 5 12 0" className="mark-far" />
    </svg>
  );
}
