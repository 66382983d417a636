import { EyeIcon } from "../ui/icons.tsx";

interface Props {
  readonly trying: boolean;
  readonly onTry: (on: boolean) => void;
}

/** Tells a viewer what he may do. He may also try more, to see what the server says. */
export function ViewerNotice({ trying, onTry }: Props) {
  return (
    <div className="notice notice-news notice-calm">
      <p className="notice-text">
        <EyeIcon size={16} />
        <span>
          {trying ? (
            <>
              <strong>Go on, change something.</strong> You see it at once; then the server refuses it, and it is rolled
              back and kept.
            </>
          ) : (
            <>
              <strong>You are a viewer here:</strong> you may read and comment. The page offers no more, and the server
              takes no more.
            </>
          )}
        </span>
      </p>
      <button type="button" className="button" aria-pressed={trying} onClick={() => onTry(!trying)}>
        {trying ? "Stop trying" : "Try an edit anyway"}
      </button>
    </div>
  );
}
